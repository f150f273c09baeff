#include "engine/base/error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace trainmake {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return fail(user_error("Odd", "Give an even one"));
  return number / 2;
}

Result<int> quarter(int number) {
  TRY_ASSIGN(const int halved, half(number));
  TRY(half(halved));
  return halved / 2;
}

TEST(Error, TryAssignTakesTheValueOrReturnsTheError) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().message, "Odd");
  EXPECT_EQ(quarter(3).error().hint, "Give an even one");
}

TEST(Error, EachBlameHasItsExitCode) {
  EXPECT_EQ(exit_code_of(Blame::kStep), 1);
  EXPECT_EQ(exit_code_of(Blame::kUser), 2);
  EXPECT_EQ(exit_code_of(Blame::kRemote), 3);
  EXPECT_EQ(exit_code_of(Blame::kBusy), 4);
  EXPECT_EQ(exit_code_of(Blame::kBug), 70);
  EXPECT_EQ(exit_code_of(Blame::kInterrupted), 130);
}

TEST(Error, APlaceIsFileAndLine) {
  EXPECT_EQ((Location{"TRAINFILE.lua", 12}.text()), "TRAINFILE.lua:12");
  EXPECT_EQ((Location{"TRAINFILE.lua", 0}.text()), "TRAINFILE.lua");
  EXPECT_EQ(Location{}.text(), "");
}

TEST(Error, IsBuiltUpInOneExpression) {
  const Error error = user_error("Bad").at({"a", 1}).because(Blame::kRemote).advise("Do good");
  EXPECT_EQ(error.where.text(), "a:1");
  EXPECT_EQ(error.blame, Blame::kRemote);
  EXPECT_EQ(error.hint, "Do good");
}

TEST(Error, OfTheSystemSaysWhatAndWhereAndWhy) {
  EXPECT_EQ(system_error("Cannot read", "a/b", EACCES).message, "Cannot read `a/b`: Permission denied");
  EXPECT_EQ(system_error("Cannot write", "a\nb", ENOSPC).message,
            "Cannot write `a\\x0ab`: No space left on device");
  EXPECT_FALSE(system_error("Cannot write", "a", ENOSPC).hint.empty());
  EXPECT_EQ(system_error("Cannot write", "a", ENOSPC).blame, Blame::kStep);
  EXPECT_EQ(system_error("Cannot read", "a", EACCES).blame, Blame::kUser);
  EXPECT_FALSE(system_error("Cannot open", "a", ELOOP).hint.empty());
  EXPECT_EQ(system_error("Cannot open", "a", 99999).message, "Cannot open `a`: Error 99999");
}

TEST(ErrorDeathTest, ABrokenPromiseEndsTheProgramWithItsOwnCode) {
  EXPECT_EXIT(CHECK(1 + 1 == 3), testing::ExitedWithCode(70), "1 \\+ 1 == 3");
}

}  // namespace
}  // namespace trainmake
