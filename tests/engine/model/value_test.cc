#include "engine/model/value.h"

#include <gtest/gtest.h>

#include <random>

namespace trainmake {
namespace {

Value any_value(std::mt19937& random, int depth) {
  Value value;
  value.line = static_cast<int>(random() % 1000);
  switch (random() % (depth > 0 ? 8 : 6)) {
    case 0:
      value.data = random() % 2 == 0;
      break;
    case 1:
      value.data = static_cast<std::int64_t>(random()) - (std::int64_t{1} << 31U);
      break;
    case 2:
      value.data = static_cast<double>(random()) / 7;
      break;
    case 3:
      value.data = std::string(random() % 5, static_cast<char>(random() % 256));
      break;
    case 4:
      value.data =
          Glob{{"a/**", std::string(1, static_cast<char>(random() % 256))}, {"b"}, random() % 2 == 0};
      break;
    case 5:
      value.data = PlacedPath{static_cast<Place>(random() % 5), "x"};
      break;
    default: {
      Table table;
      for (auto count = random() % 3; count > 0; --count) table.items.push_back(any_value(random, depth - 1));
      for (unsigned i = 0; i < random() % 3; ++i)
        table.fields.emplace_back(std::string(1, static_cast<char>('a' + i)), any_value(random, depth - 1));
      value.data = std::move(table);
    }
  }
  return value;
}

TEST(Value, ReadsBackAsItWasWritten) {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    const Value value = any_value(random, 4);
    std::string bytes;
    encode(value, bytes);
    std::string_view rest = bytes;
    Value back;
    ASSERT_TRUE(decode(rest, back));
    EXPECT_TRUE(rest.empty());
    EXPECT_EQ(back, value);
    EXPECT_EQ(back.line, value.line);
    EXPECT_EQ(digest_of(back), digest_of(value));
  }
}

TEST(Value, CutBytesAreRefused) {
  std::mt19937 random(4);
  for (int round = 0; round < 300; ++round) {
    std::string bytes;
    encode(any_value(random, 3), bytes);
    bytes.resize(random() % bytes.size());
    std::string_view rest = bytes;
    Value back;
    EXPECT_FALSE(decode(rest, back));
  }
}

Value of(auto data) {
  Value value;
  value.data = data;
  return value;
}

TEST(Value, ItsDigestIsOfWhatItIsAndNotOfWhereItStands) {
  Value a = of(std::string("x"));
  Value b = a;
  b.line = 7;
  EXPECT_EQ(digest_of(a), digest_of(b));
  EXPECT_NE(digest_of(of(std::string("1"))), digest_of(of(std::int64_t{1})));
  EXPECT_NE(digest_of(of(true)), digest_of(of(std::int64_t{1})));
  EXPECT_NE(digest_of(of(Table{{of(std::string("ab")), of(std::string("c"))}, {}})),
            digest_of(of(Table{{of(std::string("a")), of(std::string("bc"))}, {}})));
}

TEST(Value, AWholeNumberIsTheSameHoweverItIsWritten) {
  EXPECT_EQ(digest_of(of(1.0)), digest_of(of(std::int64_t{1})));
}

TEST(Value, FindsFieldsByName) {
  const Table table{{}, {{"a", of(true)}, {"c", of(false)}}};
  EXPECT_NE(table.find("a"), nullptr);
  EXPECT_EQ(table.find("b"), nullptr);
}

TEST(Value, IsPlainJson) {
  const Table params{{},
                     {{"lr", of(0.1)}, {"sizes", of(Table{{of(std::int64_t{1}), of(std::int64_t{2})}, {}})}}};
  EXPECT_EQ(json_text(of(params)), R"({"lr":0.1,"sizes":[1,2]})");
  EXPECT_EQ(json_text(of(Glob{{"a/**"}, {}, false})), R"({"glob":["a/**"]})");
}

}  // namespace
}  // namespace trainmake
