#include "rules/job/platforms/slurm/slurm_answers.h"

#include <algorithm>
#include <array>
#include <map>

#include "engine/base/text.h"

namespace trainmake {
namespace {

// Columns of a fixed width, for any character may stand in a reason.
struct Column {
  const char* name;
  std::size_t width;
};
constexpr std::array kColumns = {Column{"ArrayJobID", 20}, Column{"ArrayTaskID", 20}, Column{"State", 24},
                                 Column{"RestartCnt", 10}, Column{"StartTime", 20},   Column{"EndTime", 20},
                                 Column{"Name", 64},       Column{"Comment", 64},     Column{"Reason", 128}};
constexpr std::int64_t kUsualArrayLimit = 1001;
constexpr std::string_view kNamePrefix = "trainmake-";

bool is_number(std::string_view text) { return whole_number<std::uint64_t>(text).has_value(); }

constexpr std::string_view kInvalidNumber = "Invalid job id";

// Elements that never started are told together: "12_[1-3,7%2]" is 12_1, 12_2, 12_3 and 12_7.
std::vector<std::string> numbers_of(std::string_view text) {
  const std::size_t open = text.find("_[");
  if (open == text.npos) return {std::string(text)};
  const std::string_view whole = text.substr(0, open);
  const std::string_view inside = text.substr(open + 2, text.find_first_of("]%", open) - open - 2);
  std::vector<std::string> numbers;
  for (const std::string& range : split(inside, ',')) {
    const std::size_t dash = range.find('-');
    const auto first = whole_number<std::int64_t>(range.substr(0, dash));
    const auto last = dash == range.npos ? first : whole_number<std::int64_t>(range.substr(dash + 1));
    if (!first || !last) continue;
    for (std::int64_t i = *first; i <= *last; ++i) numbers.push_back(cat(whole, "_", i));
  }
  return numbers;
}

// What stands between the two in a line of scontrol; "" when it has none.
std::string_view between(std::string_view line, std::string_view name, std::string_view next) {
  const std::size_t begin = line.find(name);
  if (begin == line.npos) return {};
  const std::string_view rest = line.substr(begin + name.size());
  return trim(rest.substr(0, rest.find(next)));
}

// What comes behind it is not always there.
std::string work_dir_of(std::string_view line) {
  std::string_view folder = between(line, " WorkDir=", " StdErr=");
  for (const std::string_view next : {" AdminComment=", " SystemComment=", " Comment="})
    folder = folder.substr(0, folder.find(next));
  return std::string(folder);
}

std::int64_t number_or_none(std::string_view text) { return whole_number<std::int64_t>(text).value_or(0); }

}  // namespace

std::string_view SlurmJob::element() const {
  const std::size_t line = number.find('_');
  return line == number.npos ? std::string_view() : std::string_view(number).substr(line + 1);
}

SlurmTicket SlurmTicket::of(std::string_view text) {
  const std::size_t blank = text.find(' ', std::min(kCommentPrefix.size(), text.size()));
  if (blank == text.npos) return {std::string(text), ""};
  return {std::string(text.substr(0, blank)), std::string(text.substr(blank + 1))};
}

std::string SlurmTicket::text() const { return element.empty() ? comment : cat(comment, " ", element); }

std::string SlurmTicket::name(const std::string& key) const {
  return element.empty() ? key : cat(kNamePrefix, std::string_view(comment).substr(kCommentPrefix.size()));
}

bool is_job_number(std::string_view text) {
  const std::size_t line = text.find('_');
  return is_number(text.substr(0, line)) && (line == text.npos || is_number(text.substr(line + 1)));
}

std::vector<std::string> squeue_words(const std::vector<std::string>& names) {
  std::vector<std::string> columns;
  for (const Column& column : kColumns) columns.push_back(cat(column.name, ":", column.width));
  std::vector<std::string> words = {"squeue", "--noheader", "--states=all", "--array",
                                    cat("--Format=", join(columns, ","))};
  if (!names.empty()) words.push_back(cat("--name=", join(names, ",")));
  return words;
}

std::optional<std::vector<SlurmJob>> parse_squeue(std::string_view text) {
  std::vector<SlurmJob> jobs;
  for (const std::string& line : split(text, '\n')) {
    if (line.empty()) continue;
    std::array<std::string_view, kColumns.size()> fields;
    std::string_view rest = line;
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      fields[i] = trim(rest.substr(0, kColumns[i].width));
      rest.remove_prefix(std::min(rest.size(), kColumns[i].width));
    }
    const auto& [number, element, state, restarts, started, ended, name, comment, reason] = fields;
    if (!is_number(number) || state.empty() || name.empty()) return std::nullopt;
    jobs.push_back({is_number(element) ? cat(number, "_", element) : std::string(number), std::string(state),
                    std::string(name), std::string(reason), std::string(comment),
                    static_cast<int>(number_or_none(restarts)), number_or_none(started),
                    number_or_none(ended)});
  }
  return jobs;
}

OwnJob OwnJob::of(const SlurmTicket& ticket, const std::string& key, std::string number) {
  return {ticket.name(key), ticket.comment, ticket.element, std::move(number)};
}

bool OwnJob::is(const SlurmJob& job) const {
  const bool has_name = name.empty() ? job.name.starts_with(kNamePrefix) : job.name == name;
  if (!has_name || job.element() != element) return false;
  if (has_started || job.number == number) return job.number == number;
  return !element.empty() || (!folder.empty() && job.folder == folder) ||
         job.comment.find(comment.empty() ? kCommentPrefix : comment) != std::string::npos;
}

bool OwnJob::may_be(const SlurmJob& job) const {
  return number.empty() && element.empty() && !folder.empty() && job.name == name && job.element().empty() &&
         job.comment.find(kCommentPrefix) == std::string::npos;
}

std::vector<std::string> scontrol_words(const std::string& number) {
  return {"scontrol", "--oneliner", "show", "job", number};
}

std::optional<std::vector<SlurmJob>> parse_scontrol(std::string_view output, std::string_view errors) {
  std::vector<SlurmJob> jobs;
  if (output.empty() && errors.find(kInvalidNumber) != errors.npos) return jobs;
  for (const std::string& line : split(output, '\n')) {
    if (line.empty()) continue;
    const std::string_view elements = between(line, " ArrayTaskId=", " ");
    std::string number(elements.empty() ? between(line, "JobId=", " ")
                                        : cat(between(line, " ArrayJobId=", " "), "_[", elements, "]"));
    const std::string name(between(line, " JobName=", " UserId="));
    const std::string state(between(line, " JobState=", " "));
    if (!line.starts_with("JobId=") || name.empty() || state.empty()) return std::nullopt;
    const std::string folder = work_dir_of(line);
    for (std::string& own : numbers_of(number)) {
      if (!is_job_number(own)) return std::nullopt;
      jobs.push_back({std::move(own), state, name, "", std::string(between(line, " Comment=", " StdErr="))});
      jobs.back().folder = folder;
    }
  }
  return jobs.empty() ? std::nullopt : std::optional(std::move(jobs));
}

std::vector<std::string> scancel_numbers(const std::vector<std::string>& numbers) {
  std::vector<std::string> words;
  std::map<std::string, std::vector<std::int64_t>> arrays;
  for (const std::string& number : numbers) {
    const std::size_t line = number.find('_');
    if (line == number.npos)
      words.push_back(number);
    else
      arrays[number.substr(0, line)].push_back(number_or_none(std::string_view(number).substr(line + 1)));
  }
  for (auto& [whole, elements] : arrays) {
    std::sort(elements.begin(), elements.end());
    words.push_back(cat(whole, "_[", ranges_of(elements), "]"));
  }
  return words;
}

bool are_over_by_now(std::string_view errors) {
  const std::vector<std::string> lines = split(errors, '\n');
  return std::any_of(lines.begin(), lines.end(), [](const std::string& line) { return !line.empty(); }) &&
         std::all_of(lines.begin(), lines.end(), [](const std::string& line) {
           return line.empty() || line.find(kInvalidNumber) != line.npos ||
                  line.find("already completing or completed") != line.npos;
         });
}

std::vector<std::string> sacct_words(const std::vector<std::string>& numbers) {
  return {"sacct",
          "--noheader",
          "--allocations",
          "--parsable2",
          "--format=JobID,State,Start,End,JobName",
          cat("--jobs=", join(numbers, ","))};
}

std::optional<std::vector<SlurmJob>> parse_sacct(std::string_view text) {
  std::vector<SlurmJob> jobs;
  for (const std::string& line : split(text, '\n')) {
    if (line.empty()) continue;
    const std::vector<std::string> fields = split(line, '|');
    if (fields.size() < 5) return std::nullopt;
    SlurmJob job;
    job.number = fields[0];
    job.state = fields[1].substr(0, fields[1].find(' '));  // "CANCELLED by 1000"
    job.started_s = number_or_none(fields[2]);
    job.ended_s = number_or_none(fields[3]);
    job.name = fields[4];
    if (job.state.empty()) return std::nullopt;
    for (std::string& number : numbers_of(job.number)) {
      if (!is_job_number(number)) return std::nullopt;
      jobs.push_back(job);
      jobs.back().number = std::move(number);
    }
  }
  return jobs;
}

std::string ranges_of(const std::vector<std::int64_t>& sorted) {
  std::vector<std::string> ranges;
  for (std::size_t begin = 0; begin < sorted.size();) {
    std::size_t end = begin;
    while (end + 1 < sorted.size() && sorted[end + 1] == sorted[end] + 1) ++end;
    ranges.push_back(begin == end ? cat(sorted[begin]) : cat(sorted[begin], "-", sorted[end]));
    begin = end + 1;
  }
  return join(ranges, ",");
}

std::optional<SbatchAnswer> parse_sbatch(std::string_view text) {
  const std::string_view line = trim(text.substr(0, text.find('\n')));
  const std::size_t sign = line.find(';');
  SbatchAnswer answer{std::string(line.substr(0, sign)),
                      sign == line.npos ? "" : std::string(line.substr(sign + 1))};
  if (!whole_number<std::uint64_t>(answer.number)) return std::nullopt;
  return answer;
}

std::int64_t parse_array_limit(std::string_view config) {
  for (const std::string& line : split(config, '\n')) {
    const std::size_t sign = line.find('=');
    if (sign == line.npos || trim(std::string_view(line).substr(0, sign)) != "MaxArraySize") continue;
    // An index has to be less than it, and ours begin with 1.
    const std::int64_t size = number_or_none(trim(std::string_view(line).substr(sign + 1)));
    return std::max<std::int64_t>(size - 1, 0);
  }
  return kUsualArrayLimit - 1;
}

bool leaves_open(std::string_view complaint) {
  constexpr std::array<std::string_view, 11> kOpen = {"Unable to contact",
                                                      "timed out",
                                                      "Connection refused",
                                                      "Zero Bytes were transmitted",
                                                      "standby",
                                                      "temporarily",
                                                      "missing socket",
                                                      "Unable to connect",
                                                      "Communication connection failure",
                                                      "Unable to process configuration file",
                                                      "Could not establish a configuration source"};
  return std::any_of(kOpen.begin(), kOpen.end(),
                     [&](std::string_view words) { return complaint.find(words) != complaint.npos; });
}

std::string complaint_of(std::string_view errors) {
  std::string last;
  for (const std::string& line : split(errors, '\n')) {
    if (!trim(line).empty()) last = trim(line);
  }
  std::string_view rest = last;
  for (const std::string_view before : {"sbatch: ", "squeue: ", "scancel: ", "sacct: ", "error: ", "fatal: ",
                                        "Batch job submission failed: ", "slurm_load_jobs error: "}) {
    if (rest.starts_with(before)) rest.remove_prefix(before.size());
  }
  return std::string(rest);
}

}  // namespace trainmake
