// What may be said of a kind of target. One table feeds checking, did-you-mean, help, the LuaLS types and
// completion. Knows the shapes of values; what they mean, their rules know.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/model/value.h"

namespace trainmake {

enum class Shape : std::uint8_t {
  kBoolean,
  kInteger,
  kNumber,
  kString,
  kStringList,   // a string, or a list of strings
  kFiles,        // a path, a glob, or a list of both
  kLabel,        // one label; Attribute::labels says of which kinds
  kLabelList,    // one label or a list of labels
  kChannels,     // a list of labels, some of them named: { "data:a", train = "data:b" }
  kScalarMap,    // name = string, number or boolean
  kStringMap,    // name = string
  kArguments,    // name = scalar, a list of scalars, or data_dir "x" and its like
  kFileLayers,   // a list of { srcs = files, dest = string }
  kVariants,     // a string, or name = string; with Attribute::labels, those that are labels are needed
  kWord,         // a string or a placed path
  kCommand,      // a list of strings and placed paths
  kTable,        // anything in braces, or what Attribute::fields says
  kTableOrWord,  // a string, or a table as Attribute::fields says
  kDuration,     // seconds as a number, or "90s", "10m", "2h", "1d"
};

// Whether a change of the attribute changes the target's result, and with it its fingerprint.
enum class Effect : std::uint8_t { kResult, kNone };

// What is wrong with a value of the right shape. An error without a line stands at the attribute's.
using Meaning = std::vector<Error> (*)(const Value& value);

struct Attribute {
  std::string name;
  Shape shape = Shape::kString;
  std::string doc;
  bool required = false;
  Effect effect = Effect::kResult;
  std::vector<std::string> labels = {};    // for label shapes and kVariants: the kinds that may be named
  std::optional<std::int64_t> least = {};  // for kInteger: no less than this
  std::vector<Attribute> fields = {};      // for kTable: what may stand in it; empty: anything
  Meaning wrong = nullptr;
};

struct Schema {
  std::string kind;
  std::string doc;
  std::vector<Attribute> attributes;

  const Attribute* find(std::string_view name) const;
  std::vector<std::string> names() const;
};

// Whole seconds; an empty optional for what is no kDuration.
std::optional<std::int64_t> seconds_of(const Value& duration);

std::string expected(const Attribute& attribute);  // "a string or a list of strings"

// Everything that is wrong with `attributes`, each with the line of the attribute (or `where` when not
// known).
std::vector<Error> check(const Schema& schema, const Table& attributes, const Location& where,
                         std::string_view target);

// Whether a value of kVariants is a label rather than another word: its kind stands in it.
bool names_target(const Attribute& attribute, std::string_view text);

// A label as it is written in an attribute.
struct LabelUse {
  std::string attribute;
  std::string channel;  // of kChannels: its name, or ""
  std::string text;
  int line = 0;
};
std::vector<LabelUse> label_uses(const Schema& schema, const Table& attributes);

}  // namespace trainmake
