#include "engine/base/text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace trainmake {
namespace {

using Texts = std::vector<std::string>;

TEST(Text, CatPutsTextAndNumbersTogether) {
  EXPECT_EQ(cat("a ", 3, ' ', std::string("b"), std::string_view("c"), -7), "a 3 bc-7");
}

TEST(Text, SplitKeepsEmptyPartsButGivesNoneForNothing) {
  EXPECT_EQ(split("a,b", ','), (Texts{"a", "b"}));
  EXPECT_EQ(split(",a,", ','), (Texts{"", "a", ""}));
  EXPECT_EQ(split("", ','), Texts{});
}

TEST(Text, JoinIsSplitsInverse) {
  EXPECT_EQ(join(Texts{"a", "", "b"}, ", "), "a, , b");
  EXPECT_EQ(join(Texts{}, ","), "");
}

TEST(Text, TrimTakesBlanksFromBothEnds) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
}

TEST(Text, Utf8IsCheckedStrictly) {
  EXPECT_TRUE(is_utf8("plain, é, 図, 🚀"));
  EXPECT_FALSE(is_utf8("\xC0\xAF")) << "longer than needed";
  EXPECT_FALSE(is_utf8("\xED\xA0\x80")) << "a surrogate";
  EXPECT_FALSE(is_utf8("\xF4\x90\x80\x80")) << "above the last code point";
  EXPECT_FALSE(is_utf8("\xE2\x82")) << "cut off";
  EXPECT_FALSE(is_utf8("\x80"));
}

TEST(Text, PrintableLeavesNothingThatATerminalObeys) {
  EXPECT_EQ(printable("a\x1b[31mb"), "a\\x1b[31mb");
  EXPECT_EQ(printable("a\nb\t"), "a\\x0ab\\x09");
  EXPECT_EQ(printable("\xff"
                      "é"),
            "\\xffé");
  EXPECT_EQ(printable("\xC2\x9B"), "\\xc2\\x9b") << "C1 controls are controls";
  EXPECT_EQ(printable("\x7f"), "\\x7f");
  EXPECT_EQ(quoted("x\ny"), "`x\\x0ay`");
}

TEST(Text, BytesAreShownAsPeopleReadThem) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(std::uint64_t{2} << 30U), "2.0 GiB");
  EXPECT_EQ(human_bytes((1U << 20U) - 1), "1.0 MiB") << "rounding may reach the next unit";
  EXPECT_EQ(human_bytes(std::numeric_limits<std::uint64_t>::max()), "16.0 EiB");
}

TEST(Text, DurationsAreShownAsPeopleReadThem) {
  EXPECT_EQ(human_duration(12), "12 ms");
  EXPECT_EQ(human_duration(2100), "2.1 s");
  EXPECT_EQ(human_duration(59'949), "59.9 s");
  EXPECT_EQ(human_duration(59'950), "1 min 0 s");
  EXPECT_EQ(human_duration(200'000), "3 min 20 s");
  EXPECT_EQ(human_duration(7'500'000), "2 h 5 min");
  EXPECT_EQ(human_duration(-5), "0 ms");
}

TEST(Text, PluralsKnowTheCommonEndings) {
  EXPECT_EQ(plural(1, "file"), "1 file");
  EXPECT_EQ(plural(0, "file"), "0 files");
  EXPECT_EQ(plural(2, "entry"), "2 entries");
  EXPECT_EQ(plural(2, "key"), "2 keys");
  EXPECT_EQ(plural(3, "batch"), "3 batches");
}

TEST(Text, NumbersReadBackAsTheSameNumber) {
  EXPECT_EQ(number_text(3.0), "3");
  EXPECT_EQ(number_text(0.1), "0.1");
  for (const double number : {0.1 + 0.2, 1e300, -5e-324, 1.0 / 3}) {
    EXPECT_EQ(parse_number(number_text(number)), number);
  }
}

TEST(Text, OnlyAWholeFiniteNumberIsOne) {
  EXPECT_EQ(parse_number("-2.5e3"), -2500.0);
  for (const char* text : {"", "1x", " 1", "nan", "inf", "1e999", "0x10"})
    EXPECT_EQ(parse_number(text), std::nullopt) << text;
}

TEST(Text, AWholeNumberIsAllOfItsText) {
  EXPECT_EQ(whole_number<int>("-12"), -12);
  EXPECT_EQ(whole_number<std::uint64_t>("18446744073709551615"), 18'446'744'073'709'551'615U);
  EXPECT_EQ(whole_number<int>("17", 8), 15);
  for (const char* text : {"", "1x", " 1", "1 ", "+1", "1.0", "2147483648"})
    EXPECT_EQ(whole_number<int>(text), std::nullopt) << text;
  EXPECT_EQ(whole_number<unsigned>("-1"), std::nullopt);
  EXPECT_EQ(whole_number<int>("8", 8), std::nullopt);
}

TEST(Text, NearestForgivesTyposAndCase) {
  const Texts names = {"image", "data", "command", "learning_rate"};
  EXPECT_EQ(nearest("imgae", names), "image") << "two letters swapped";
  EXPECT_EQ(nearest("Data", names), "data");
  EXPECT_EQ(nearest("comand", names), "command");
  EXPECT_EQ(nearest("learn", names), "learning_rate") << "a beginning";
}

TEST(Text, NearestIsSilentWhenNothingIsNear) {
  const Texts names = {"image", "data"};
  EXPECT_EQ(nearest("platform", names), std::nullopt);
  EXPECT_EQ(nearest("x", Texts{"y"}), std::nullopt);
  EXPECT_EQ(nearest("", names), std::nullopt);
  EXPECT_EQ(did_you_mean("platform", names), "");
  EXPECT_EQ(did_you_mean("dat", names), "Did you mean `data`?");
}

TEST(Text, NearestPrefersTheFewestEdits) {
  EXPECT_EQ(nearest("main", Texts{"maim", "main2", "main"}), "main");
  EXPECT_EQ(nearest("srcs", Texts{"src", "srcs_"}), "src") << "the first of equals";
}

}  // namespace
}  // namespace trainmake
