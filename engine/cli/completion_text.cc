#include "engine/cli/completion_text.h"

#include <vector>

#include "engine/base/text.h"
#include "engine/cli/flags.h"
#include "engine/cli/help_text.h"
#include "engine/cli/templates.h"

namespace trainmake {
namespace {

// `@NAME@` in the text, for each of the pairs.
std::string filled(std::string_view text,
                   const std::vector<std::pair<std::string_view, std::string>>& values) {
  std::string out(text);
  for (const auto& [name, value] : values) {
    const std::string mark = cat("@", name, "@");
    for (std::size_t at = out.find(mark); at != std::string::npos; at = out.find(mark, at + value.size()))
      out.replace(at, mark.size(), value);
  }
  return out;
}

std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

void add(std::string& list, std::string_view word) { list += cat(list.empty() ? "" : " ", word); }

std::string spellings(const FlagSpec& flag, std::string_view between) {
  return flag.letter == 0 ? std::string(flag.name) : cat("-", flag.letter, between, flag.name);
}

// Flags that take a value of this kind, for a `case`; every flag with a value for "".
std::string flags_with(std::string_view value) {
  std::string list;
  for (const FlagSpec& flag : all_flags()) {
    if (!flag.value.empty() && (value.empty() || flag.value == value))
      list += cat(list.empty() ? "" : "|", spellings(flag, "|"));
  }
  return list;
}

std::string flag_names(const CommandSpec& command) {
  std::string list;
  for (const FlagSpec& flag : all_flags()) {
    if (is_common(flag)) add(list, flag.name);
  }
  for (const FlagSpec* flag : flags_of(command)) add(list, flag->name);
  return list;
}

// What a flag's value may be, where these are known beforehand.
std::string values_of(std::string_view flag) {
  constexpr std::pair<std::string_view, std::string_view> kValues[] = {
      {"--output", "text dot html json"},
      {"--with", "podman docker nerdctl"},
      {"--variant", "cpu gpu"},
      {"--dialect", "2017"},
      {"--status", "queued running succeeded failed cancelled lost unknown"}};
  if (flag == "--template") return join(template_names(), " ");
  for (const auto& [name, values] : kValues) {
    if (name == flag) return std::string(values);
  }
  return "";
}

// What `trainmake completion` is asked for the others.
std::string asked_for(std::string_view flag) {
  return flag == "--platform" ? "platforms" : flag == "--contract" ? "contracts" : "";
}

std::string value_cases() {
  std::string cases;
  for (const FlagSpec& flag : all_flags()) {
    if (const std::string values = values_of(flag.name); !values.empty())
      cases += cat("  ", flag.name, ") printf '%s\\n' ", values, "; return ;;\n");
    if (const std::string asked = asked_for(flag.name); !asked.empty())
      cases += cat("  ", flag.name, ") _trainmake_ask ", asked, " \"$current\"; return ;;\n");
  }
  return cases;
}

std::string command_names() {
  std::string list;
  for (const CommandSpec& command : all_commands()) add(list, command.name);
  return std::string(trim(list));
}

bool takes_labels(const CommandSpec& command) {
  return command.words.find("LABEL") != std::string_view::npos ||
         command.words.find("EXPR") != std::string_view::npos;
}

// Words that a command takes as they are: `export|import FILE` gives "export import".
std::string fixed_words(const CommandSpec& command) {
  std::string list;
  for (const std::string& word : split(command.words.substr(0, command.words.find(' ')), '|')) {
    if (!word.empty() && word.front() >= 'a' && word.front() <= 'z') add(list, word);
  }
  return list;
}

std::string shell_cases(std::string (*words)(const CommandSpec&)) {
  std::string cases;
  for (const CommandSpec& command : all_commands()) {
    if (const std::string list = words(command); !list.empty())
      cases += cat("    ", in_quotes(command.name), ") echo ", in_quotes(list), " ;;\n");
  }
  return cases;
}

std::string label_commands() {
  std::string list;
  for (const CommandSpec& command : all_commands()) {
    if (takes_labels(command)) list += cat(list.empty() ? "" : "|", in_quotes(command.name));
  }
  return list;
}

// What bash and zsh share: which command the words before the last name, and what may stand in the last one's
// place.
constexpr std::string_view kShared = R"SH(_trainmake_flags() {
  case $1 in
@FLAG_CASES@  esac
}

_trainmake_fixed_words() {
  case $1 in
@WORD_CASES@  esac
}

_trainmake_ask() {
  command trainmake "${folder[@]}" completion "$@" 2>/dev/null
}

# Prints what may stand where $1 stands, after the words $2...
_trainmake_candidates() {
  local current=$1 pending="" chosen="" second="" count=0 word words
  local folder
  folder=()
  shift
  for word in "$@"; do
    case $pending in
    "") ;;
    -C|--directory) folder=(-C "$word") pending=""; continue ;;
    *) pending=""; continue ;;
    esac
    case $word in
    @VALUE_FLAGS@) pending=$word ;;
    -*) ;;
    *)
      if [ $count = 0 ]; then chosen=$word; fi
      if [ $count = 1 ]; then second=$word; fi
      count=$((count + 1))
      ;;
    esac
  done
  case $chosen in
  *:*|*...|//*) chosen="" ;;
  esac
  case $pending in
  "") ;;
@VALUE_CASES@  @FOLDER_FLAGS@) echo "<folders>"; return ;;
  @FILE_FLAGS@) echo "<files>"; return ;;
  *) return ;;
  esac
  case $current in
  -*) _trainmake_flags "$chosen" | tr ' ' '\n'; return ;;
  esac
  case $count in
  0) printf '%s\n' @COMMANDS@ ;;
  1)
    words=$(_trainmake_fixed_words "$chosen")
    if [ -n "$words" ]; then printf '%s\n' "$words" | tr ' ' '\n'; return; fi
    ;;
  *)
    case $chosen in
    cache) echo "<files>" ;;
    import) echo "<folders>" ;;
    esac
    case $chosen,$second,$count in
    uai,stop,2|uai,rename,2|uai,memo,2|uai,remove,2) _trainmake_ask labels "$current" ;;
    esac
    ;;
  esac
  case $chosen in
  @LABEL_COMMANDS@) _trainmake_ask labels "$current" ;;
  login) _trainmake_ask registries "$current" ;;
  help) printf '%s\n' @HELP_WORDS@ ;;
  esac
}
)SH";

constexpr std::string_view kBash =
    R"SH(# Completion of trainmake for bash. In ~/.bashrc: eval "$(trainmake completion bash)"

@SHARED@
_trainmake() {
  # bash splits words at the colon of a label; a blank alone ends one here.
  local line=${COMP_LINE:0:COMP_POINT} current="" candidate IFS=$' \t\n'
  local words=()
  read -r -a words <<<"$line"
  if [[ $line != *[[:blank:]] ]]; then
    current=${words[${#words[@]} - 1]}
    unset "words[${#words[@]} - 1]"
  fi
  # What stands before the last place where bash splits is not to be given again.
  local break_characters=${COMP_WORDBREAKS//[^:=@]/} given=""
  if [[ -n $break_characters && $current == *["$break_characters"]* ]]; then
    given=${current%"${current##*["$break_characters"]}"}
  fi
  COMPREPLY=()
  while IFS= read -r candidate; do
    case $candidate in
    "<folders>") compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    "<files>") compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    "") ;;
    "$current"*) COMPREPLY+=("${candidate#"$given"}") ;;
    esac
  done < <(_trainmake_candidates "$current" "${words[@]:1}")
  if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then compopt -o nospace 2>/dev/null; fi
}

complete -F _trainmake trainmake
)SH";

constexpr std::string_view kZsh = R"SH(#compdef trainmake
# Completion of trainmake for zsh. In ~/.zshrc, after compinit: eval "$(trainmake completion zsh)"

@SHARED@
_trainmake() {
  emulate -L zsh
  local current=$PREFIX
  local -a candidates
  candidates=("${(@f)$(_trainmake_candidates "$current" "${(@)words[2,CURRENT-1]}")}")
  if (( ${candidates[(Ie)<folders>]} )); then _files -/; return; fi
  if (( ${candidates[(Ie)<files>]} )); then _files; return; fi
  candidates=(${(M)candidates:#${current}*})
  compadd -Q -S '' -- ${(M)candidates:#*/}
  compadd -Q -- ${candidates:#*/}
}

if [[ ${funcstack[1]} == _trainmake ]]; then
  _trainmake "$@"
else
  compdef _trainmake trainmake
fi
)SH";

constexpr std::string_view kFish =
    R"SH(# Completion of trainmake for fish. In ~/.config/fish/config.fish: trainmake completion fish | source

function __trainmake_words
    set -l skip no
    for word in (commandline -opc)[2..-1]
        if test $skip = yes
            set skip no
            continue
        end
        switch $word
            case @VALUE_FLAGS@
                set skip yes
            case '-*'
            case '*'
                echo $word
        end
    end
end

function __trainmake_chosen
    set -l words (__trainmake_words)
    test (count $words) -gt 0; or return
    string match -qr '[:]|^//|\.\.\.$' -- $words[1]; or echo $words[1]
end

function __trainmake_is
    set -l chosen (__trainmake_chosen)
    test (count $chosen) -gt 0; or set chosen ''
    contains -- $chosen $argv
end

function __trainmake_ask
    set -l folder
    set -l typed (commandline -opc)
    for i in (seq 2 (count $typed))
        if contains -- $typed[$i] -C --directory; and test $i -lt (count $typed)
            set folder -C $typed[(math $i + 1)]
        end
    end
    command trainmake $folder completion $argv (commandline -ct) 2>/dev/null
end

complete -c trainmake -f
complete -c trainmake -n 'test (count (__trainmake_words)) -eq 0' -a @COMMAND_WORDS@
@LINES@)SH";

std::string help_words() {
  std::string words = command_names();
  for (const std::string& topic : help_topics()) words += cat(" ", topic);
  return words;
}

std::string or_of(std::string_view list) {
  std::string out;
  for (const char c : list) out += c == '|' ? ' ' : c;
  return out;
}

std::string fish_flag(const FlagSpec& flag, std::string_view condition) {
  std::string line = "complete -c trainmake";
  if (!condition.empty()) line += cat(" -n ", in_quotes(condition));
  if (flag.letter != 0) line += cat(" -s ", flag.letter);
  line += cat(" -l ", flag.name.substr(2));
  if (!flag.value.empty()) line += flag.value == "DIR" || flag.value == "FILE" ? " -rF" : " -x";
  if (const std::string values = values_of(flag.name); !values.empty()) line += cat(" -a '", values, "'");
  if (const std::string asked = asked_for(flag.name); !asked.empty())
    line += cat(" -a '(__trainmake_ask ", asked, ")'");
  return cat(line, " -d ", in_quotes(flag.doc), "\n");
}

std::string fish_lines() {
  std::string lines;
  for (const FlagSpec& flag : all_flags()) {
    std::string owners;
    for (const CommandSpec& command : all_commands()) {
      for (const FlagSpec* own : flags_of(command)) {
        if (own == &flag) add(owners, command.name.empty() ? "''" : command.name);
      }
    }
    lines += fish_flag(flag, is_common(flag) ? std::string() : cat("__trainmake_is ", trim(owners)));
  }
  std::string takers;
  for (const CommandSpec& command : all_commands()) {
    if (takes_labels(command)) add(takers, command.name.empty() ? "''" : command.name);
    if (const std::string words = fixed_words(command); !words.empty()) {
      lines += cat("complete -c trainmake -n ", in_quotes(cat("__trainmake_is ", command.name)), " -a ",
                   in_quotes(words), "\n");
    }
  }
  return cat(lines, "complete -c trainmake -n ", in_quotes(cat("__trainmake_is ", trim(takers))),
             " -a '(__trainmake_ask labels)'\n",
             "complete -c trainmake -n '__trainmake_is uai' -a '(__trainmake_ask labels)'\n",
             "complete -c trainmake -n '__trainmake_is login' -a '(__trainmake_ask registries)'\n",
             "complete -c trainmake -n '__trainmake_is help' -a ", in_quotes(help_words()), "\n");
}

}  // namespace

std::optional<std::string> completion_text(std::string_view shell) {
  if (shell == "fish")
    return filled(kFish, {{"VALUE_FLAGS", or_of(flags_with(""))},
                          {"COMMAND_WORDS", in_quotes(command_names())},
                          {"LINES", fish_lines()}});
  if (shell != "bash" && shell != "zsh") return std::nullopt;
  const std::string shared = filled(kShared, {{"FLAG_CASES", shell_cases(flag_names)},
                                              {"WORD_CASES", shell_cases(fixed_words)},
                                              {"FOLDER_FLAGS", flags_with("DIR")},
                                              {"FILE_FLAGS", flags_with("FILE")},
                                              {"VALUE_FLAGS", flags_with("")},
                                              {"LABEL_COMMANDS", label_commands()},
                                              {"VALUE_CASES", value_cases()},
                                              {"COMMANDS", command_names()},
                                              {"HELP_WORDS", help_words()}});
  return filled(shell == "bash" ? kBash : kZsh, {{"SHARED", shared}});
}

}  // namespace trainmake
