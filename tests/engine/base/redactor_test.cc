#include "engine/base/redactor.h"

#include <gtest/gtest.h>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr const char* kKey = "-----BEGIN KEY-----\nMIIEabc\n  xyzw\nA==\n-----END KEY-----\n";

// The text in two pieces, cut at every place; how it is cut changes nothing.
std::string redacted_however_cut(const std::vector<std::string>& secrets, std::string_view text) {
  const std::string whole = Redactor(secrets).redact(text);
  for (std::size_t at = 0; at <= text.size(); ++at) {
    Redactor redactor(secrets);
    std::string out = redactor.pass(text.substr(0, at));
    out += redactor.pass(text.substr(at));
    out += redactor.finish();
    EXPECT_EQ(out, whole) << "cut at " << at;
  }
  return whole;
}

TEST(Redactor, FindsASecretHoweverItIsCut) {
  const std::string text = "a secret, a secretsecret, sec, secre";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    Redactor redactor({"secret"});
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += size)
      out += redactor.pass(std::string_view(text).substr(at, size));
    out += redactor.finish();
    EXPECT_EQ(out, "a ***, a ******, sec, secre") << size;
  }
}

TEST(Redactor, TakesTheLongestOfTwoThatBeginAlike) {
  Redactor redactor({"ab", "abcd"});
  EXPECT_EQ(redactor.redact("abcd abc ab a"), "*** ***c *** a");
  EXPECT_EQ(redactor.pass("xab"), "x");
  EXPECT_EQ(redactor.pass("c"), "");
  EXPECT_EQ(redactor.pass("d."), "***.");
  EXPECT_EQ(redactor.pass("ab"), "");
  EXPECT_EQ(redactor.finish(), "***");
}

TEST(Redactor, LetsThroughWhatIsNoSecretAtOnce) {
  Redactor redactor({"token", ""});
  EXPECT_EQ(redactor.pass("epoch 1\nto"), "epoch 1\n");
  EXPECT_EQ(redactor.pass("day"), "today");
  EXPECT_EQ(Redactor({}).redact("as it is"), "as it is");
}

TEST(Redactor, HidesASecretOfSeveralLinesAsAWholeHoweverItIsCut) {
  EXPECT_EQ(redacted_however_cut({kKey}, cat("key: ", kKey, "done\n")), "key: ***\ndone\n");
  EXPECT_EQ(redacted_however_cut({"one line\n"}, "one line, and `one line`"), "***, and `***`");
}

TEST(Redactor, HidesEachTellingLineOfASecretByItself) {
  EXPECT_EQ(redacted_however_cut({kKey}, "> MIIEabc\r\n> xyzw\r\n> A==\r\n"), "> ***\r\n> ***\r\n> A==\r\n");
  EXPECT_EQ(redacted_however_cut({kKey}, "-----BEGIN KEY-----\nMIIEabc\nanother"), "***\n***\nanother");
  EXPECT_EQ(Redactor({"abcde\nfghijk"}, 6).redact("abcde fghijk"), "abcde ***");
}

TEST(Redactor, FindsASecretAcrossTheEndOfALargeRead) {
  constexpr std::size_t kRead = 64U << 10U;
  const std::string secret = "s3cr3t-v4lue";
  for (std::size_t before = kRead - secret.size() - 1; before <= kRead + 1; ++before) {
    const std::string text = cat(std::string(before, 's'), secret, "\n");
    Redactor redactor({secret});
    std::string out = redactor.pass(std::string_view(text).substr(0, kRead));
    out += redactor.pass(std::string_view(text).substr(std::min(kRead, text.size())));
    out += redactor.finish();
    EXPECT_TRUE(out == cat(std::string(before, 's'), "***\n")) << before;
  }
}

TEST(Redactor, HidesASecretThatIsAStringOfJson) {
  const std::string secret = R"({"type":"account","key":"a\\nb/c"})";
  EXPECT_EQ(redacted_however_cut({secret}, R"({"env":"{\"type\":\"account\",\"key\":\"a\\\\nb/c\"}"})"),
            R"({"env":"***"})");
  EXPECT_EQ(redacted_however_cut({"two\nlines\t\"x\""}, R"(["two\nlines\t\"x\""])"), R"(["***"])");
  EXPECT_EQ(redacted_however_cut({R"(a"b)"}, R"("{\"k\":\"a\\\"b\"}")"), R"("{\"k\":\"***\"}")");
}

TEST(Redactor, OfNothingButLineEndsHidesNothing) {
  EXPECT_EQ(Redactor({"\n", "\r\n\n", ""}).redact("a\n\nb"), "a\n\nb");
}

TEST(Redactor, ASecretIsFoundAsOthersSpellIt) {
  const Redactor redactor({"ab+cd/ef= g"});
  for (const char* spelled : {"ab+cd/ef= g", "ab%2Bcd%2Fef%3D%20g", "ab%2bcd%2fef%3d%20g",
                              "ab%2Bcd%2Fef%3D+g", "ab%2Bcd/ef%3D%20g", "ab+cd\\/ef= g", "YWIrY2QvZWY9IGc="})
    EXPECT_EQ(redactor.redact(cat("Key=", spelled, "&x=1")), "Key=***&x=1") << spelled;
}

}  // namespace
}  // namespace trainmake
