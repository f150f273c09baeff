// How `args` and `params` reach the user's code: as words of its command, as JSON, as text of a variable.
// Pure. Knows no platform: which way is its contract's to say.
#pragma once

#include <string>
#include <vector>

#include "engine/base/hash.h"
#include "engine/model/value.h"

namespace trainmake {

// Absolute paths, as the job sees them.
struct Folders {
  std::string code, data, output, checkpoint, log, home;
  std::string params;  // a JSON file
  std::string top =
      {};  // what lies in front of a contract's other absolute paths; "" where they hold as said
};

struct ArgumentStyle {
  enum class Form : std::uint8_t { kTwoWords, kEquals };              // --name value, --name=value
  enum class Booleans : std::uint8_t { kFlag, kLowerCase, kPython };  // --name or nothing; true; True
  enum class Lists : std::uint8_t { kWords, kCommas, kJson, kRepeated };
  Form form = Form::kTwoWords;
  Booleans booleans = Booleans::kFlag;
  Lists lists = Lists::kWords;
  bool one_list = false;       // args and params are sorted together, as hyperparameters
  bool short_letters = false;  // `-k v` for a name of one letter
};

void add_flag(const ArgumentStyle& style, const std::string& name, const Value& value, const Folders& folders,
              std::vector<std::string>& into);

// As it stands in a variable or a word: what is no text of its own is JSON.
std::string parameter_text(const Value& value, const Folders& folders);
std::string word_text(const Value& value, const Folders& folders);  // REQUIRES: a scalar or a placed path
std::string params_json(const Fields& fields, const Folders& folders);
// The same with every value as a string, which is its JSON: `{"lr":"0.1"}`.
std::string params_texts_json(const Fields& fields, const Folders& folders);
// Equal for values that a job is given alike: where 1.0 and 1 are another text or another JSON, they differ.
Digest128 digest_of_parameter(const Value& value);
// Both, sorted by name; one of `params` goes before one of `args`.
Fields hyperparameters(const Fields& args, const Fields& params);

}  // namespace trainmake
