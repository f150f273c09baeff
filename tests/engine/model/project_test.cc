#include "engine/model/project.h"

#include <gtest/gtest.h>

namespace trainmake {
namespace {

Value value_of(const char* text) {
  Value value;
  value.data = std::string(text);
  return value;
}

TEST(Service, WhatIsAddedIsFoundAndTakesTheWordOfNobody) {
  Service service;
  for (const char* name : {"region", "url", "create", "region"}) service.add(name, value_of(name));
  service.add("url", value_of("another"));
  ASSERT_EQ(service.attributes.fields.size(), 3U);
  for (const char* name : {"region", "url", "create"}) EXPECT_EQ(service.text_or(name, ""), name);
}

}  // namespace
}  // namespace trainmake
