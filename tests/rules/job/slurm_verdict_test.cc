// What is said of a run, by all that may be known of it: one table.
#include <gtest/gtest.h>

#include <map>

#include "engine/base/text.h"
#include "rules/job/platforms/slurm/slurm_run.h"
#include "rules/job/platforms/slurm/slurm_state.h"

namespace trainmake {
namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr std::int64_t kNow_ns = 2000 * kSecond_ns;

using What = SlurmVerdict::What;

// What a run left, by a name of the table.
SlurmTraces traces_named(const std::string& name) {
  SlurmTraces traces;
  if (name == "nothing") return traces;
  traces.ticket = SlurmTicket::of("trainmake 00ff");
  if (name == "ticket") return traces;
  traces.number = "12";
  traces.cancel_asked = name.find("cancel") != name.npos;
  if (name == "number" || name == "number, cancel") return traces;
  traces.owner = name == "barred" ? kCancelledOwner : "12";
  if (name == "barred") return traces;
  traces.started_ns = 1900 * kSecond_ns;
  if (name == "kept") {
    JobStatus end;
    end.status = RunStatus::kCancelled;
    traces.end = render_end(end);
  }
  const std::map<std::string, SlurmExit> exits = {{"exit 0", {0}},
                                                  {"exit 3", {3}},
                                                  {"exit 137", {137}},
                                                  {"ended", {143, true}},
                                                  {"ended, cancel", {143, true}},
                                                  {"over time", {143, true}}};
  if (const auto exit = exits.find(name); exit != exits.end()) traces.exit = exit->second;
  if (name == "over time") traces.timed_out_s = 5;
  return traces;
}

// What Slurm says, by a name of the table.
SlurmFacts facts_of(const std::string& left, const std::string& slurm) {
  SlurmFacts facts{.traces = traces_named(left), .now_ns = kNow_ns};
  if (slurm == "not asked") return facts;
  facts.slurm = slurm == "silent" ? SlurmFacts::Slurm::kNothingSaid : SlurmFacts::Slurm::kAnswered;
  if (slurm != "silent" && slurm != "has none")
    facts.job = SlurmJob{"12", slurm, "trainmake-a", "None", "trainmake 00ff", 0, 1900, 1990};
  return facts;
}

// "failed*" is an end to keep, "failed!" one that has to be kept from starting first.
std::string text_of(const SlurmVerdict& verdict) {
  if (verdict.what == What::kAskSlurm) return "ask";
  if (verdict.what == What::kNotHandedOver) return verdict.status.known ? "known?" : "none";
  const bool is_end = verdict.what != What::kGoesOn;
  if (is_end != is_over(verdict.status.status)) return cat("not ", name_of(verdict.status.status));
  return cat(name_of(verdict.status.status), verdict.what == What::kBarFirst ? "!"
                                             : verdict.is_to_keep            ? "*"
                                                                             : "");
}

constexpr const char* kTable = R"(
               | not asked | silent    | has none   | PENDING   | RUNNING   | COMPLETED | FAILED    | CANCELLED  | TIMEOUT   | NODE_FAIL | ODD
nothing        | none      | none      | none       | none      | none      | none      | none      | none       | none      | none      | none
ticket         | ask       | queued    | none       | queued    | running   | running   | failed!   | cancelled! | failed!   | lost      | unknown
number         | ask       | queued    | lost       | queued    | running   | running   | failed!   | cancelled! | failed!   | lost      | unknown
number, cancel | ask       | queued    | cancelled! | queued    | running   | running   | failed!   | cancelled! | failed!   | lost      | unknown
barred         | ask       | queued    | lost       | queued    | running   | running   | running   | cancelled* | failed*   | lost      | unknown
started        | ask       | running   | lost       | queued    | running   | running   | running   | cancelled* | failed*   | lost      | unknown
exit 0         | succeeded | succeeded | succeeded  | succeeded | succeeded | succeeded | succeeded | succeeded  | succeeded | succeeded | succeeded
exit 3         | failed    | failed    | failed     | failed    | failed    | failed    | failed    | failed     | failed    | failed    | failed
exit 137       | ask       | running   | failed*    | failed*   | running   | failed*   | failed*   | cancelled* | failed*   | lost      | unknown
ended          | ask       | running   | failed*    | queued    | running   | failed*   | failed*   | cancelled* | failed*   | lost      | unknown
ended, cancel  | ask       | running   | cancelled* | queued    | running   | failed*   | failed*   | cancelled* | failed*   | lost      | unknown
over time      | failed    | failed    | failed     | failed    | failed    | failed    | failed    | failed     | failed    | failed    | failed
kept           | cancelled | cancelled | cancelled  | cancelled | cancelled | cancelled | cancelled | cancelled  | cancelled | cancelled | cancelled
)";

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  for (const std::string& cell : split(line, '|')) cells.emplace_back(trim(cell));
  return cells;
}

TEST(SlurmVerdict, IsToldByATable) {
  const std::vector<std::string> lines = split(trim(std::string_view(kTable)), '\n');
  const std::vector<std::string> answers = cells_of(lines.front());
  ASSERT_EQ(lines.size(), 14U);
  for (std::size_t row = 1; row < lines.size(); ++row) {
    const std::vector<std::string> cells = cells_of(lines[row]);
    ASSERT_EQ(cells.size(), 12U) << lines[row];
    for (std::size_t i = 1; i < cells.size(); ++i) {
      const std::string& slurm = answers[answers.size() - cells.size() + i];
      EXPECT_EQ(text_of(verdict_of(facts_of(cells[0], slurm))), cells[i]) << cells[0] << ", " << slurm;
    }
  }
}

TEST(SlurmVerdict, AnEndBeforeItStartedIsOneOnceItCannotStart) {
  SlurmFacts facts = facts_of("number", "CANCELLED");
  facts.barred = SlurmFacts::Barred::kInTime;
  EXPECT_EQ(text_of(verdict_of(facts)), "cancelled*");
  facts.barred = SlurmFacts::Barred::kTooLate;
  EXPECT_EQ(text_of(verdict_of(facts)), "running");
}

TEST(SlurmVerdict, ASuccessWithoutWhatItLeftIsLost) {
  for (const char* slurm : {"not asked", "COMPLETED", "has none"}) {
    SlurmFacts facts = facts_of("exit 0", slurm);
    facts.has_output = false;
    EXPECT_EQ(text_of(verdict_of(facts)), "lost") << slurm;
    EXPECT_EQ(verdict_of(facts).status.reason, "what it left was removed from `shared_dir`");
  }
  SlurmFacts failed = facts_of("exit 3", "FAILED");
  failed.has_output = false;
  EXPECT_EQ(text_of(verdict_of(failed)), "failed");
}

TEST(SlurmVerdict, WhatIsLeftToDoForACancelledOne) {
  using Barred = SlurmFacts::Barred;
  const auto to_do = [](const std::string& left, Barred barred, bool is_over_in_slurm) {
    SlurmFacts facts = facts_of(left, "not asked");
    facts.barred = barred;
    return still_to_do(facts, is_over_in_slurm);
  };
  EXPECT_EQ(to_do("started", Barred::kTooLate, false), StillToDo::kEndJob);
  EXPECT_EQ(to_do("started", Barred::kTooLate, true), StillToDo::kEndJob) << "an answer may be of before";
  EXPECT_EQ(to_do("exit 0", Barred::kTooLate, false), StillToDo::kNothing);
  EXPECT_EQ(to_do("number", Barred::kInTime, false), StillToDo::kFreeItsPlace);
  EXPECT_EQ(to_do("number", Barred::kInTime, true), StillToDo::kNothing);
  EXPECT_EQ(to_do("ticket", Barred::kInTime, false), StillToDo::kFreeItsPlace)
      << "its answer may have been lost";
  EXPECT_EQ(to_do("nothing", Barred::kInTime, false), StillToDo::kNothing);
}

TEST(SlurmVerdict, OneThatSqueueDoesNotTellOfIsGoneWhenNothingSpeaksAgainstIt) {
  const OwnJob own{"trainmake-a", "trainmake 00ff", "", "12"};
  const std::vector<SlurmJob> it = {{"12", "RUNNING", "trainmake-a", "", ""}};
  const std::vector<SlurmJob> anothers = {{"12", "RUNNING", "else", "", ""}};
  for (const bool again : {false, true}) {
    EXPECT_EQ(absence_of(own, it, again), Absence::kContradicted);
    EXPECT_EQ(absence_of(own, anothers, again), Absence::kGone);
    EXPECT_EQ(absence_of(own, std::vector<SlurmJob>(), again), Absence::kGone);
  }
  EXPECT_EQ(absence_of(own, std::nullopt, false), Absence::kNotSure);
  EXPECT_EQ(absence_of(own, std::nullopt, true), Absence::kGone);
}

TEST(SlurmVerdict, ItsJobsThatGoOnAreThoseToEnd) {
  const OwnJob own{"trainmake-a", "trainmake 00ff", "", "12"};
  const std::vector<SlurmJob> jobs = {{"11", "COMPLETED", "trainmake-a", "", "trainmake 00ff"},
                                      {"12", "PENDING", "trainmake-a", "", ""},
                                      {"13", "ODD", "trainmake-a", "", "trainmake 00ff"},
                                      {"14", "RUNNING", "trainmake-a", "", "trainmake 11ee"}};
  EXPECT_EQ(going_on_of(own, jobs).numbers, (std::vector<std::string>{"12", "13"}));
  EXPECT_TRUE(going_on_of(own, {jobs[0]}).is_known);
  EXPECT_FALSE(going_on_of(own, {jobs[3]}).is_known);
  EXPECT_FALSE(is_told_over(own, jobs)) << "another job of it is";
  EXPECT_TRUE(is_told_over(own, {{"12", "CANCELLED", "trainmake-a", "", ""}}));
}

TEST(SlurmVerdict, OneWithoutANumberIsKnownByItsFolderWhenItsCommentWasWrittenOver) {
  SlurmTraces traces = traces_named("ticket");
  const OwnJob own = own_job_of(traces, "trainmake-a", "/shared/runs/w/a");
  SlurmJob job{"12", "PENDING", "trainmake-a", "", "night-shift"};
  EXPECT_TRUE(own.may_be(job));
  EXPECT_FALSE(own.is(job));
  job.folder = "/shared/runs/other/a";
  EXPECT_FALSE(own.is(job));
  job.folder = "/shared/runs/w/a";
  EXPECT_TRUE(own.is(job));
  job.comment = "trainmake 11ee";
  EXPECT_FALSE(own.may_be(job)) << "another workspace says that it is its own";
  traces.number = "13";
  job.comment = "night-shift";
  EXPECT_FALSE(own_job_of(traces, "trainmake-a", "/shared/runs/w/a").may_be(job)) << "ours is another";
}

}  // namespace
}  // namespace trainmake
