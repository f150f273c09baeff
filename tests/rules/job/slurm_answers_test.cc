// What Slurm's commands say.
#include <gtest/gtest.h>

#include "engine/base/text.h"
#include "rules/job/platforms/slurm/slurm_answers.h"

namespace trainmake {
namespace {

std::string padded(std::string text, std::size_t width) {
  text.resize(width, ' ');
  return text;
}

std::string line_of(const SlurmJob& job) {
  const std::string element(job.element());
  return cat(padded(job.number.substr(0, job.number.find('_')), 20),
             padded(element.empty() ? "N/A" : element, 20), padded(job.state, 24),
             padded(cat(job.restarts), 10), padded(job.started_s == 0 ? "N/A" : cat(job.started_s), 20),
             padded(job.ended_s == 0 ? "N/A" : cat(job.ended_s), 20), padded(job.name, 64),
             padded(job.comment, 64), padded(job.reason, 128), "\n");
}

SlurmJob job_in(const std::string& state, const std::string& reason = "None") {
  return {"12", state, "trainmake-a", reason, "trainmake 00ff", 0, 1900, 1990};
}

TEST(SlurmAnswers, SqueueTellsOneJobALine) {
  SlurmJob waiting = job_in("PENDING", "(ReqNodeNotAvail, UnavailableNodes:n[1-2]|3)");
  waiting.started_s = waiting.ended_s = 0;
  waiting.restarts = 2;
  const auto jobs = parse_squeue(cat(line_of(waiting), line_of(job_in("RUNNING"))));
  ASSERT_TRUE(jobs);
  ASSERT_EQ(jobs->size(), 2U);
  EXPECT_EQ((*jobs)[0].number, "12");
  EXPECT_EQ((*jobs)[0].state, "PENDING");
  EXPECT_EQ((*jobs)[0].reason, "(ReqNodeNotAvail, UnavailableNodes:n[1-2]|3)");
  EXPECT_EQ((*jobs)[0].restarts, 2);
  EXPECT_EQ((*jobs)[0].started_s, 0);
  EXPECT_EQ((*jobs)[1].name, "trainmake-a");
  EXPECT_EQ((*jobs)[1].comment, "trainmake 00ff");
  EXPECT_EQ((*jobs)[1].ended_s, 1990);
}

TEST(SlurmAnswers, SqueueTellsTheElementsOfAnArrayByTheirIndex) {
  SlurmJob element = job_in("PENDING");
  element.number = "12_17";
  const auto jobs = parse_squeue(line_of(element));
  ASSERT_TRUE(jobs);
  EXPECT_EQ((*jobs)[0].number, "12_17");
  EXPECT_EQ((*jobs)[0].element(), "17");
  EXPECT_EQ(job_in("PENDING").element(), "");
}

TEST(SlurmAnswers, ATicketTellsTheCommentAndTheIndex) {
  const SlurmTicket single = SlurmTicket::of("trainmake 00ff"), one = SlurmTicket::of("trainmake 00ff 17");
  EXPECT_EQ(single.comment, "trainmake 00ff");
  EXPECT_EQ(single.element, "");
  EXPECT_EQ(single.name("trainmake-a"), "trainmake-a");
  EXPECT_EQ(one.comment, "trainmake 00ff");
  EXPECT_EQ(one.element, "17");
  EXPECT_EQ(one.name("trainmake-a"), "trainmake-00ff");
  EXPECT_EQ(one.text(), "trainmake 00ff 17");
  EXPECT_EQ(SlurmTicket::of("").comment, "");
}

TEST(SlurmAnswers, TheArrayLimitIsTold) {
  EXPECT_EQ(parse_array_limit("MaxArraySize            = 20001\nMaxJobCount = 5\n"), 20000);
  EXPECT_EQ(parse_array_limit("MaxArraySize = 0\n"), 0);
  EXPECT_EQ(parse_array_limit(""), 1000);
}

TEST(SlurmAnswers, NothingInTheQueueIsAnAnswer) { EXPECT_EQ(parse_squeue("")->size(), 0U); }

TEST(SlurmAnswers, WhatIsNoAnswerOfSqueueIsTold) {
  EXPECT_FALSE(parse_squeue("slurm_load_jobs error: Unable to contact slurm controller\n"));
  EXPECT_FALSE(parse_squeue("12\n"));
}

TEST(SlurmAnswers, SqueueIsAskedForNames) {
  EXPECT_EQ(squeue_words({"a", "b"}).back(), "--name=a,b");
  EXPECT_EQ(squeue_words({}).back().substr(0, 9), "--Format=");
}

TEST(SlurmAnswers, SacctTellsElementsAndThoseThatNeverStartedTogether) {
  const auto jobs = parse_sacct(
      "12_17|TIMEOUT|1900|1990|x\n12_[18-20,25%4]|CANCELLED by 0|None|1990|x\n12_[18...]|PENDING|||x\n");
  ASSERT_TRUE(jobs);
  std::vector<std::string> numbers;
  for (const SlurmJob& job : *jobs) numbers.push_back(job.number);
  EXPECT_EQ(numbers, (std::vector<std::string>{"12_17", "12_18", "12_19", "12_20", "12_25"}));
  EXPECT_EQ((*jobs)[4].state, "CANCELLED");
  EXPECT_EQ((*jobs)[4].ended_s, 1990);
}

TEST(SlurmAnswers, SacctTellsAJobThatSlurmctldForgot) {
  const auto jobs = parse_sacct("12|CANCELLED by 1000|1900|1990|trainmake-a\n13|TIMEOUT|Unknown|1991|x\n");
  ASSERT_TRUE(jobs);
  EXPECT_EQ((*jobs)[0].state, "CANCELLED");
  EXPECT_EQ((*jobs)[0].ended_s, 1990);
  EXPECT_EQ((*jobs)[1].started_s, 0);
  EXPECT_FALSE(parse_sacct("a|b\n"));
}

TEST(SlurmAnswers, SbatchAnswersWithANumber) {
  EXPECT_EQ(parse_sbatch("12\n")->number, "12");
  EXPECT_EQ(parse_sbatch("12\n")->cluster, "");
  EXPECT_EQ(parse_sbatch("12;other\n")->number, "12");
  EXPECT_EQ(parse_sbatch("12;other\n")->cluster, "other");
  EXPECT_FALSE(parse_sbatch(""));
  EXPECT_FALSE(parse_sbatch("Submitted\n"));
}

TEST(SlurmAnswers, ARefusalIsToldFromAnAnswerThatWasLost) {
  const std::string refusal =
      complaint_of("sbatch: error: Batch job submission failed: Invalid partition name specified\n");
  EXPECT_EQ(refusal, "Invalid partition name specified");
  EXPECT_FALSE(leaves_open(refusal));
  for (const char* text :
       {"sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n",
        "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)\n",
        "slurm_load_jobs error: Slurm backup controller in standby mode\n"})
    EXPECT_TRUE(leaves_open(complaint_of(text))) << text;
}

std::string numbers_shown(std::string_view output, std::string_view errors) {
  const auto jobs = parse_scontrol(output, errors);
  if (!jobs) return "says nothing";
  std::vector<std::string> numbers;
  for (const SlurmJob& job : *jobs)
    numbers.push_back(cat(job.number, " ", job.state, " ", job.name, "/", job.comment));
  return join(numbers, "; ");
}

TEST(SlurmAnswers, ScontrolShowsJobsByTheirElements) {
  EXPECT_EQ(numbers_shown("JobId=7 JobName=trainmake-1 UserId=me(1) JobState=RUNNING Reason=None WorkDir=/w "
                          "Comment=trainmake 00ff  StdErr=/dev/null Power= \n",
                          ""),
            "7 RUNNING trainmake-1/trainmake 00ff");
  EXPECT_EQ(
      numbers_shown(
          "JobId=9 ArrayJobId=7 ArrayTaskId=1-2,5%3 JobName=a UserId=me(1) JobState=PENDING Reason=None\n"
          "JobId=8 ArrayJobId=7 ArrayTaskId=3 JobName=a UserId=me(1) JobState=RUNNING Reason=None\n",
          ""),
      "7_1 PENDING a/; 7_2 PENDING a/; 7_5 PENDING a/; 7_3 RUNNING a/");
  EXPECT_EQ(numbers_shown("", "slurm_load_jobs error: Invalid job id specified\n"), "");
  for (const auto& [output, errors] :
       {std::pair("", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"),
        {"", ""},
        {"No jobs in the system\n", ""},
        {"what is this\n", "Invalid job id specified"}})
    EXPECT_EQ(numbers_shown(output, errors), "says nothing") << output << errors;
}

TEST(SlurmAnswers, ManyNumbersAreFewWords) {
  EXPECT_EQ(join(scancel_numbers({"7_2", "12", "7_1", "7_3", "8_5", "7_9"}), " "), "12 7_[1-3,9] 8_[5]");
}

TEST(SlurmAnswers, WhatIsOverByNowIsNoComplaint) {
  const std::string gone = "scancel: error: Kill job error on job id 2_5: Invalid job id specified\n";
  const std::string ended =
      "scancel: error: Kill job error on job id 3: Job/step already completing or completed\n";
  EXPECT_TRUE(are_over_by_now(gone + ended));
  EXPECT_FALSE(are_over_by_now(gone + "scancel: error: Access/permission denied\n"));
  EXPECT_FALSE(are_over_by_now(""));
}

TEST(SlurmAnswers, AJobIsOursByNameAndNumberWhateverItsCommentSays) {
  OwnJob own = OwnJob::of(SlurmTicket::of("trainmake 00ff"), "trainmake-run", "12");
  const SlurmJob job{"12", "RUNNING", "trainmake-run", "", "night-shift"};
  EXPECT_TRUE(own.is(job));
  own.has_started = true;
  EXPECT_TRUE(own.is(job));
  SlurmJob other = job;
  other.name = "precious";
  EXPECT_FALSE(own.is(other));
}

TEST(SlurmAnswers, OfAnotherNumberItIsOursByItsTicketUntilOneStarted) {
  OwnJob own = OwnJob::of(SlurmTicket::of("trainmake 00ff"), "trainmake-run", "12");
  const SlurmJob job{"13", "PENDING", "trainmake-run", "", "vision: trainmake 00ff, by night"};
  SlurmJob of_another_workspace = job;
  of_another_workspace.comment = "trainmake 11ee";
  for (const char* number : {"12", ""}) {
    own.number = number;
    EXPECT_TRUE(own.is(job)) << number;
    EXPECT_FALSE(own.is(of_another_workspace)) << number;
  }
  own.number = "12";
  own.has_started = true;
  EXPECT_FALSE(own.is(job));
}

TEST(SlurmAnswers, AnElementIsOursByTheNameOfItsArrayAndItsIndex) {
  const OwnJob own = OwnJob::of(SlurmTicket::of("trainmake 00ff 17"), "trainmake-run", "");
  const SlurmJob job{"12_17", "RUNNING", "trainmake-00ff", "", ""};
  EXPECT_TRUE(own.is(job));
  SlurmJob other = job;
  other.number = "12_18";
  EXPECT_FALSE(own.is(other));
  other = job;
  other.name = "trainmake-11ee";
  EXPECT_FALSE(own.is(other));
}

}  // namespace
}  // namespace trainmake
