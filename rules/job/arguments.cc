#include "rules/job/arguments.h"

#include "engine/base/shell_words.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr const char* kOfCaffe[] = {"solver", "snapshot"};

bool has_field(const Target& job, std::string_view table, std::string_view name) {
  const Value* fields = job.find(table);
  return fields != nullptr && fields->table() != nullptr && fields->table()->find(name) != nullptr;
}

// No shell looks for files of the pattern in it: the job does.
Result<std::vector<std::string>> typed_words(std::string_view text) {
  return shell_words(text, {.keeps_patterns = true});
}

}  // namespace

Fields named_arguments(const Target& job) {
  Fields arguments;
  for (const char* name : kOfCaffe) {
    if (const Value* value = job.find(name)) arguments.emplace_back(name, *value);
  }
  const Fields& others = job.fields("args");
  arguments.insert(arguments.end(), others.begin(), others.end());
  return arguments;
}

Result<void> check_arguments_said_once(const Target& job) {
  for (const char* name : kOfCaffe) {
    for (const char* table : {"args", "params"}) {
      if (job.find(name) == nullptr || !has_field(job, table, name)) continue;
      return fail(user_error(cat(quoted(name), " is said twice: by itself, and in ", quoted(table)),
                             "Leave one of them out")
                      .at(job.place_of(name)));
    }
  }
  return {};
}

Result<std::vector<std::string>> typed_arguments(const Target& job) {
  auto words = typed_words(job.string_or("train_params", ""));
  if (!words) return fail(std::move(words).error().at(job.place_of("train_params")));
  return words;
}

std::vector<Error> wrong_train_params(const Value& text) {
  const auto words = typed_words(*text.string());
  if (words) return {};
  Error error = words.error();
  error.message = cat("`train_params` is no row of words: ", error.message);
  return {std::move(error).at({"", text.line})};
}

}  // namespace trainmake
