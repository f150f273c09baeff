#include "engine/cli/flags.h"

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr FlagSpec kFlags[] = {
    {"--directory", 'C', "DIR", "Act as if started in DIR"},
    {"--json", 0, "", "Write JSON, one object a line, to stdout"},
    {"--platform", 0, "NAME", "Use this platform of TRAINSPACE.lua"},
    {"--container", 0, "", "Run jobs in containers of their images"},
    {"--contract", 0, "NAME",
     "What jobs see: default, uai, ti, sagemaker, moxing, or one that TRAINSPACE.lua declares"},
    {"--variant", 0, "VARIANT", "Of the image: cpu or gpu, whatever the job asks for"},
    {"--shell", 0, "", "A shell in the place of a job's command, and nothing is recorded"},
    {"--local", 0, "", "On this machine, as it would be on the default platform"},
    {"--cache-dir", 0, "DIR", "Keep state here instead of in .trainmake (also TRAINMAKE_CACHE_DIR)"},
    {"--help", 'h', "", "Say what a command does"},
    {"--version", 0, "", "Say which trainmake this is"},
    {"--keep-going", 'k', "", "When a step fails, do what does not need it"},
    {"--jobs", 'j', "N", "Do up to N steps at once"},
    {"--dry-run", 'n', "", "Say what would happen, as `plan` does"},
    {"--force", 0, "", "Run the targets named here again, whatever is remembered"},
    {"--retry", 0, "", "Try jobs again that failed before"},
    {"--prune", 0, "",
     "Remove from stores what is no file here, even where nothing was sent from here before"},
    {"--trace", 0, "FILE", "Write where the time went, for chrome://tracing or Perfetto"},
    {"--wait", 0, "", "Wait for jobs, and for another trainmake (this is the default)"},
    {"--no-wait", 0, "", "Leave jobs running; leave with exit code 4 when another trainmake is in the way"},
    {"--since", 0, "WHEN", "The commit to compare with; of runs a time, as 2h, 3d or 2026-01-31"},
    {"--status", 0, "STATUS", "Only runs that are so: running, succeeded, failed, ..."},
    {"--where", 0, "CONDITION",
     "Only runs with such metrics, params, tags, notes or memo: \"lr>0.1, solver=adam, notes~warm\""},
    {"--sort", 0, "NAME",
     "By a metric: of a sweep the best first (NAME:min, NAME:max); of runs the least; -NAME: the greatest"},
    {"--output", 0, "FORMAT", "text, dot, html or json"},
    {"--to", 0, "DIR", "Where to put the files; of an image FILE.tar, DIR/ or - for stdout"},
    {"--with", 0, "PROGRAM", "Who takes the image: podman, docker or nerdctl"},
    {"--all", 0, "", "All that the run left, declared or not, where its platform keeps that"},
    {"--overwrite", 0, "", "Replace what lies there and is no output or archive"},
    {"--test-data", 0, "PATH", "The folder that is /data/data in a local test; else that of the job's data"},
    {"--test-output", 0, "PATH", "The folder that is /data/output in a local test; else `output`"},
    {"--dialect", 0, "NAME", "2017: as UAI-Train's manual shows it; else as its tools write it"},
    {"--audit", 0, "PERCENT", "Look at so many objects alone, chosen by chance"},
    {"--heal", 0, "", "Send again what is missing or another"},
    {"--follow", 'f', "", "Go on as the job writes"},
    {"--template", 0, "NAME", "What to begin with: basic, uai-caffe, uai-pytorch or uai-tensorflow"},
    {"--declared", 0, "", "As the files declare it, before anything is resolved"},
    {"--repair", 0, "", "Move a damaged state database aside and begin a new one"},
    {"--limit", 0, "N", "Show the newest N alone"},
    {"--user", 0, "NAME", "Who logs in"},
    {"--password-stdin", 0, "", "Take the password from standard input"},
    {"--logout", 0, "", "Remove the login that is kept here"},
};
constexpr std::string_view kCommonFlags = "--directory --json --platform --cache-dir --help --version";

constexpr std::string_view kRunFlags =
    "--keep-going --jobs --dry-run --force --retry --prune --sort --trace --wait --no-wait --container";
constexpr std::string_view kRunHereFlags =
    "--local --container --contract --variant --shell --keep-going --jobs --dry-run --force --retry --sort "
    "--trace "
    "--wait --no-wait";
constexpr CommandSpec kCommands[] = {
    {"", "LABEL...", "do", "Brings targets up to date: `trainmake job:mnist`, `trainmake //...`", kRunFlags},
    {"plan", "LABEL...", "ask", "What would happen: steps, reasons, layers, objects, bytes, jobs",
     "--force --retry --container"},
    {"run", "LABEL...", "do",
     "The same, here: with `--local` on this machine, with `--container` in the image", kRunHereFlags},
    {"why", "LABEL|RUN", "ask", "Which file, parameter or upstream makes a target run", ""},
    {"query", "EXPR", "ask",
     "Targets: a label, a pattern, deps(E), rdeps(E), kind(K, E), attr(NAME, VALUE, E), E - E, E & E; \"a "
     "label with blanks\"",
     "--declared"},
    {"graph", "[EXPR]", "ask", "Targets and what they need, as text, dot, html or JSON", "--output"},
    {"affected", "", "ask", "Targets that a change since a commit reaches, committed or not", "--since"},
    {"logs", "RUN|LABEL...", "do",
     "What jobs printed, each line with its job's label where there are several", "--follow"},
    {"attach", "[RUN|LABEL]", "do", "Follow a running job to its end, and record it", ""},
    {"cancel", "RUN|LABEL...", "do", "End running jobs, wherever they run: what other tools call stop", ""},
    {"pull", "LABEL|RUN", "do", "Put a job's outputs on disk", "--to --overwrite --all"},
    {"image", "export|load|check LABEL...", "do",
     "Hand an image on as it was last built: to a file, a folder, podman or docker; or check all of it",
     "--to --overwrite --with"},
    {"export", "uai LABEL", "do",
     "What UAI-Train's own tools left for its web console: two Dockerfiles and the commands",
     "--to --overwrite --test-data --test-output --dialect"},
    {"import", "uai DIR|COMMAND", "do",
     "Make a TRAINFILE.lua of a project of UAI-Train's scripts, or of a command of its tools", "--to"},
    {"data", "verify LABEL...", "do",
     "Compare what stores have with what was sent, and send again what is wrong",
     "--heal --audit --wait --no-wait"},
    {"update", "[IMAGE]", "do", "Ask anew what bases stand for, and pin that in TRAINFILE.lock", ""},
    {"repro", "RUN", "do", "Run exactly what a run was given once more, and compare what came out",
     "--container --contract --variant"},
    {"new", "NAME", "do", "Begin a project that builds and runs as it is", "--template"},
    {"runs", "[LABEL]", "look back", "The history of jobs, the newest first",
     "--status --since --where --sort --limit"},
    {"show", "RUN|LABEL", "look back", "One run: what went in, what came out, how to repeat it", ""},
    {"diff", "RUN RUN", "look back", "What two runs differ in: code, data, params, metrics", ""},
    {"ps", "", "look back", "Jobs in flight", ""},
    {"gc", "", "keep", "Remove what nothing refers to", "--repair --wait --no-wait"},
    {"cache", "export|import FILE", "keep", "The whole cache as one file", "--wait --no-wait"},
    {"uai", "bill|list|stop|rename|memo|remove ...", "keep",
     "UAI-Train's bill and its jobs, whoever started them: stop one, rename it, take it off the list",
     "--since"},
    {"login", "[REGISTRY]", "keep", "Keep a login for a registry; alone: which there are",
     "--user --password-stdin --logout"},
    {"doctor", "", "keep", "Say what this machine has and lacks", ""},
    {"completion", "bash|zsh|fish", "keep", "The script that completes commands, flags and labels", ""},
    {"help", "[TOPIC]", "keep", "Say what a command or a room does", ""},
};

// What other tools call it, and what it is here.
constexpr std::pair<std::string_view, std::string_view> kOtherWords[] = {
    {"stop", "cancel"},       {"kill", "cancel"},   {"list", "ps"},           {"status", "ps"},
    {"info", "show"},         {"log", "logs"},      {"delete", "uai remove"}, {"bill", "uai bill"},
    {"rename", "uai rename"}, {"memo", "uai memo"}, {"remove", "uai remove"},
};

bool listed(std::string_view list, std::string_view name) {
  const std::vector<std::string> names = split(list, ' ');
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool takes(const CommandSpec& command, std::string_view flag) {
  return listed(kCommonFlags, flag) || listed(command.flags, flag);
}

const FlagSpec* flag_named(std::string_view name) {
  const auto found = std::find_if(std::begin(kFlags), std::end(kFlags),
                                  [&](const FlagSpec& flag) { return flag.name == name; });
  return found == std::end(kFlags) ? nullptr : found;
}

const FlagSpec* flag_lettered(char letter) {
  const auto found = std::find_if(std::begin(kFlags), std::end(kFlags),
                                  [&](const FlagSpec& flag) { return flag.letter == letter; });
  return found == std::end(kFlags) ? nullptr : found;
}

const CommandSpec* command_named(std::string_view name) {
  const auto found = std::find_if(std::begin(kCommands), std::end(kCommands),
                                  [&](const CommandSpec& command) { return command.name == name; });
  return found == std::end(kCommands) ? nullptr : found;
}

Error unknown_flag(std::string_view word) {
  std::vector<std::string> names;
  for (const FlagSpec& flag : kFlags) names.emplace_back(flag.name);
  const std::string meant = did_you_mean(word, names);
  return user_error(cat("There is no flag ", quoted(word)),
                    meant.empty() ? std::string("`trainmake help` lists them") : meant);
}

bool looks_like_label(std::string_view word) {
  return word.find(':') != std::string_view::npos || word.ends_with("...") || word.starts_with("//");
}

// The parse in steps: words and flags first, then what the first word means.
struct Parser {
  const std::vector<std::string>& arguments;
  std::size_t at = 0;
  CommandLine line;

  Result<void> flag(const FlagSpec& spec, std::optional<std::string> given) {
    if (spec.value.empty() && given)
      return fail(user_error(cat("Flag `", spec.name, "` takes no value, got ", quoted(*given))));
    if (!spec.value.empty() && !given) {
      if (at + 1 == arguments.size())
        return fail(user_error(cat("Flag `", spec.name, "` needs a value: ", spec.value)));
      given = arguments[++at];
    }
    if (given && given->empty() && (spec.name == "--platform" || spec.name == "--contract"))
      return fail(user_error(
          cat("Flag `", spec.name, "` is given an empty word"),
          cat("A variable of the shell may not be set; leave out `", spec.name, "`, or say a ", spec.value)));
    line.flags[std::string(spec.name)] = given.value_or("");
    return {};
  }

  Result<void> long_flag(const std::string& word) {
    const std::size_t equals = word.find('=');
    const FlagSpec* spec = flag_named(std::string_view(word).substr(0, equals));
    if (spec == nullptr) return fail(unknown_flag(std::string_view(word).substr(0, equals)));
    return flag(*spec, equals == std::string::npos ? std::nullopt : std::optional(word.substr(equals + 1)));
  }

  // -k, -j8, -C DIR
  Result<void> short_flags(const std::string& word) {
    for (std::size_t i = 1; i < word.size(); ++i) {
      const FlagSpec* spec = flag_lettered(word[i]);
      if (spec == nullptr) return fail(unknown_flag(cat("-", word[i])));
      if (spec->value.empty()) {
        TRY(flag(*spec, std::nullopt));
        continue;
      }
      return flag(*spec, i + 1 < word.size() ? std::optional(word.substr(i + 1)) : std::nullopt);
    }
    return {};
  }

  // Of `import uai python caffe_tool.py pack --code_path=./code/` all that stands behind two words in a row.
  bool is_of_another_program() const { return line.words.size() > 3 && line.words.front() == "import"; }

  bool clears_memo() const {
    const std::vector<std::string>& words = line.words;
    return words.size() == 4 && words[0] == "uai" && words[1] == "memo" && !words[2].empty();
  }

  Result<void> read() {
    bool flags_end = false;
    for (; at < arguments.size(); ++at) {
      const std::string& word = arguments[at];
      if (flags_end || is_of_another_program() || word.size() < 2 || word.front() != '-') {
        line.words.push_back(word);
      } else if (word == "--") {
        flags_end = true;
      } else {
        TRY(word[1] == '-' ? long_flag(word) : short_flags(word));
      }
    }
    return {};
  }

  // A shell that completes asks of a word that is not begun.
  Result<void> check_no_word_is_empty() const {
    const bool empty = std::any_of(line.words.begin(), line.words.end(),
                                   [](const std::string& word) { return word.empty(); });
    if (!empty || line.words.front() == "completion" || clears_memo() || is_of_another_program()) return {};
    return fail(user_error("A word is empty",
                           "A variable of the shell may not be set; name a label, as `job:mnist`"));
  }

  Error unknown_command() const {
    const std::string& word = line.words.front();
    std::vector<std::string> names;
    for (const CommandSpec& command : kCommands) names.emplace_back(command.name);
    std::string hint = did_you_mean(word, names);
    for (const auto& [other, here] : kOtherWords) {
      if (word == other) hint = cat("It is `trainmake ", here, "` here");
    }
    if (hint.empty()) hint = "`trainmake help` lists commands; a label looks like `job:mnist`";
    return user_error(cat("There is no command ", quoted(word)), std::move(hint));
  }

  Result<void> choose_command() {
    TRY(check_no_word_is_empty());
    line.command = command_named("");
    if (line.words.empty() || looks_like_label(line.words.front())) return {};
    line.command = command_named(line.words.front());
    if (line.command == nullptr) return fail(unknown_command());
    line.words.erase(line.words.begin());
    return {};
  }

  Result<void> check_flags() const {
    for (const auto& [name, value] : line.flags) {
      if (takes(*line.command, name)) continue;
      return fail(user_error(cat("`trainmake ", line.command->name.empty() ? "LABEL" : line.command->name,
                                 "` has no flag ", quoted(name)),
                             cat("`trainmake help ", line.command->name, "` lists what it has")));
    }
    return {};
  }

  // `trainmake` alone looks, and takes no flag that says how to work.
  Result<void> check_label_is_there() const {
    if (!line.command->name.empty() || !line.words.empty() || line.has("--help") || line.has("--version"))
      return {};
    for (const auto& [name, value] : line.flags) {
      if (listed(kCommonFlags, name)) continue;
      return fail(user_error(cat("Flag ", quoted(name), " needs a label beside it"),
                             cat("As `trainmake ", name, value.empty() ? "" : cat(" ", printable(value)),
                                 " job:mnist`; `trainmake` alone lists the labels here")));
    }
    return {};
  }
};

}  // namespace

std::span<const FlagSpec> all_flags() { return kFlags; }
std::span<const CommandSpec> all_commands() { return kCommands; }
bool is_common(const FlagSpec& flag) { return listed(kCommonFlags, flag.name); }

std::vector<const FlagSpec*> flags_of(const CommandSpec& command) {
  std::vector<const FlagSpec*> flags;
  for (const FlagSpec& flag : kFlags) {
    if (listed(command.flags, flag.name)) flags.push_back(&flag);
  }
  return flags;
}

std::optional<std::string> CommandLine::value(std::string_view flag) const {
  const auto found = flags.find(flag);
  if (found == flags.end()) return std::nullopt;
  return found->second;
}

Result<std::optional<unsigned>> jobs_of(const CommandLine& line) {
  const std::optional<std::string> given = line.value("--jobs");
  if (!given) return std::optional<unsigned>();
  const std::optional<double> number = parse_number(*given);
  if (number && *number >= 1 && *number <= 1000 && *number == static_cast<unsigned>(*number))
    return std::optional(static_cast<unsigned>(*number));
  return fail(user_error(
      cat("Flag `--jobs` takes a whole number from 1 to 1000, got ", quoted(*given)),
      looks_like_label(*given) ? cat("As `trainmake -j N ", printable(*given), "`") : std::string()));
}

Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments) {
  Parser parser{arguments, 0, {}};
  TRY(parser.read());
  TRY(parser.choose_command());
  TRY(parser.check_flags());
  TRY(jobs_of(parser.line));
  TRY(parser.check_label_is_there());
  return std::move(parser.line);
}

}  // namespace trainmake
