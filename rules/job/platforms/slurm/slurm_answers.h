// What Slurm's commands are asked, and what they say. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trainmake {

struct SlurmJob {
  std::string number;  // "12", or "12_17" of an element of an array
  std::string state;   // "PENDING"
  std::string name, reason;
  std::string comment;  // "" where it is not told
  int restarts = 0;
  std::int64_t started_s = 0, ended_s = 0;  // 0: not known; of one that goes on, when it would have to end
  std::string folder = {};                  // that it works in; "" where it is not told

  std::string_view element() const;  // "17", or ""
};

// By what the jobs of a run are known: what stands in its `ticket`, as "trainmake 00ff 17".
struct SlurmTicket {
  std::string comment;  // "" when nothing was handed over
  std::string element;  // its index when it is one of an array, or ""

  static SlurmTicket of(std::string_view text);
  std::string text() const;
  // What Slurm calls the jobs of a run with this key. REQUIRES: a comment.
  std::string name(const std::string& key) const;
};
inline constexpr std::string_view kCommentPrefix = "trainmake ";

// Whether a job is of a run: the one place that says so. A number alone does not tell: a cluster that was
// made anew begins with 1 again. Nor does the name alone, but of an array, whose name is its ticket: another
// workspace's run of the same thing has the same. A comment, which others may write over, is asked for only
// where the number is another or not known; one that was written over is known by its folder, where that is
// told. Should all be in vain, who makes `owner` still starts alone.
struct OwnJob {
  std::string name, comment;  // "": not known, as where its ticket is gone
  std::string element;        // its index in an array, or ""
  std::string number;         // as sbatch answered, or ""
  bool has_started = false;   // that one, and whichever else has its name is not the one
  std::string folder = {};    // that it works in, or ""

  static OwnJob of(const SlurmTicket& ticket, const std::string& key, std::string number);
  bool is(const SlurmJob& job) const;
  // Whether its folder alone can tell: its comment is none of ours, and no number is known.
  bool may_be(const SlurmJob& job) const;
};

// "12" or "12_17".
bool is_job_number(std::string_view text);

// The words of squeue that give what parse_squeue reads. No names ask for all jobs.
std::vector<std::string> squeue_words(const std::vector<std::string>& names);
// An empty optional for what is no such answer.
std::optional<std::vector<SlurmJob>> parse_squeue(std::string_view text);

// The words of scontrol that show a job, or all elements of an array, and what it says to that: no jobs where
// it knows none of that number, and an empty optional where it says nothing of them.
std::vector<std::string> scontrol_words(const std::string& number);
std::optional<std::vector<SlurmJob>> parse_scontrol(std::string_view output, std::string_view errors);

std::vector<std::string> sacct_words(const std::vector<std::string>& numbers);
std::optional<std::vector<SlurmJob>> parse_sacct(std::string_view text);

// Indexes of an array as Slurm's commands have them: "1-3,7".
std::string ranges_of(const std::vector<std::int64_t>& sorted);
// As few words of scancel as name all of them: "12", "13_[1-3,7]".
std::vector<std::string> scancel_numbers(const std::vector<std::string>& numbers);
// Whether it complained of nothing but that some of them were over.
bool are_over_by_now(std::string_view errors);

// What sbatch answers: "12", or "12;other" of a job that it gave to a cluster that it was told of.
struct SbatchAnswer {
  std::string number;
  std::string cluster;  // or ""
};
std::optional<SbatchAnswer> parse_sbatch(std::string_view text);
// The most elements that an array may have, by what `scontrol show config` says; 0 when it has none.
std::int64_t parse_array_limit(std::string_view config);
// Whether what a command complained of leaves open what became of it: Slurm could not be reached, or was
// busy.
bool leaves_open(std::string_view complaint);
// The last thing that a command complained of, without its name: "Invalid partition name specified".
std::string complaint_of(std::string_view errors);

}  // namespace trainmake
