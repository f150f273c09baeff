#include "cache/stores/store.h"

#include <gtest/gtest.h>

#include "engine/base/text.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_processes.h"
#include "tests/support/mem_fs.h"

namespace trainmake {
namespace {

Service store_at(const std::string& name, std::vector<std::pair<std::string, std::string>> texts) {
  Service service{"store", name, {}, {"TRAINSPACE.lua", 1}};
  for (auto& [key, text] : texts) {
    Value value;
    value.data = std::move(text);
    service.attributes.fields.emplace_back(key, std::move(value));
  }
  return service;
}

std::string url_made(const Service& service) {
  MemFileSystem files;
  FakeProcesses processes;
  FakeHttp http;
  FakeClock clock;
  Environment environment;
  Host host{files, processes, http, clock, environment};
  Tally tally;
  const StoreRooms rooms = {{"s3", [](Host&, const Workspace&, const Service&, Tally&) {
                               return Result<std::unique_ptr<Store>>(nullptr);
                             }}};
  const auto made = make_store(rooms, host, {"/w", "", ""}, service, tally);
  return made ? "made" : cat(made.error().message, " | ", made.error().hint);
}

TEST(MakeStore, ALoginInAnAddressIsRefusedUnseen) {
  for (const char* url : {"s3://KEY:WORD@bucket/x", "gopher://me:WORD@x"}) {
    const std::string told = url_made(store_at("b", {{"url", url}}));
    EXPECT_NE(told.find("`url` of store `b` holds a login"), std::string::npos) << told;
    EXPECT_EQ(told.find("WORD"), std::string::npos);
  }
  const std::string told = url_made(store_at("b", {{"endpoint", "ftp://me:WORD@x"}, {"url", "s3://bucket"}}));
  EXPECT_EQ(told.find("WORD"), std::string::npos) << told;
  EXPECT_EQ(url_made(store_at("b", {{"url", "s3://bucket/a@b"}})), "made");
}

TEST(MakeStore, AQueryInAnAddressIsRefusedUnseen) {
  for (const auto& service :
       {store_at("b", {{"url", "s3://bucket/x?sig=WORD"}}), store_at("b", {{"url", "gopher://x#WORD"}}),
        store_at("b", {{"endpoint", "https://x/?sig=WORD"}, {"url", "s3://bucket"}})}) {
    const std::string told = url_made(service);
    EXPECT_NE(told.find("of store `b` has a query"), std::string::npos) << told;
    EXPECT_EQ(told.find("WORD"), std::string::npos) << told;
  }
}

TEST(ServiceAt, HasWhatIsSaidOfItsBucket) {
  Space space;
  space.services = {store_at("far", {{"endpoint", "http://far"}, {"url", "s3://bucket"}}),
                    store_at("near", {{"endpoint", "http://near"}, {"url", "s3://bucket/sets"}}),
                    store_at("other", {{"endpoint", "http://other"}, {"url", "s3://bucket-2"}})};
  Value yes;
  yes.data = true;
  space.services[0].attributes.fields.insert(space.services[0].attributes.fields.begin(), {"create", yes});
  const auto endpoint = [&](const std::string& url) {
    const Service service = service_at(space, url);
    EXPECT_EQ(*service.text("url"), url);
    EXPECT_EQ(service.attributes.find("create"), nullptr);
    const std::string* text = service.text("endpoint");
    return text == nullptr ? "" : *text;
  };
  EXPECT_EQ(endpoint("s3://bucket/sets/a"), "http://near");
  EXPECT_EQ(endpoint("s3://bucket/other"), "http://far");
  EXPECT_EQ(endpoint("s3://bucket-2"), "http://other");
  EXPECT_EQ(endpoint("s3://bucket-3/x"), "");
  EXPECT_EQ(endpoint("dir:/mnt/x"), "");
}

}  // namespace
}  // namespace trainmake
