#include "engine/model/schema.h"

#include <algorithm>
#include <cmath>

#include "engine/base/text.h"
#include "engine/model/label.h"

namespace trainmake {
namespace {

bool is_string_or_placed(const Value& value) {
  return value.string() != nullptr || value.placed() != nullptr;
}

template <typename Fits>
bool every_item(const Value& value, const Fits& fits) {
  const Table* table = value.table();
  return table != nullptr && table->fields.empty() &&
         std::all_of(table->items.begin(), table->items.end(), fits);
}

template <typename Fits>
bool every_field(const Value& value, const Fits& fits) {
  const Table* table = value.table();
  return table != nullptr && table->items.empty() &&
         std::all_of(table->fields.begin(), table->fields.end(),
                     [&](const auto& field) { return fits(field.second); });
}

bool is_string(const Value& value) { return value.string() != nullptr; }
bool is_path_or_glob(const Value& value) { return value.string() != nullptr || value.glob() != nullptr; }
bool is_files(const Value& value) { return is_path_or_glob(value) || every_item(value, is_path_or_glob); }
bool is_argument(const Value& value) {
  return value.is_scalar() || value.placed() != nullptr ||
         every_item(value, [](const Value& item) { return item.is_scalar() || item.placed() != nullptr; });
}

bool is_file_layer(const Value& value) {
  const Table* table = value.table();
  if (table == nullptr || !table->items.empty()) return false;
  const Value* sources = table->find("srcs");
  const Value* dest = table->find("dest");
  return sources != nullptr && is_files(*sources) && dest != nullptr && is_string(*dest) &&
         table->fields.size() == 2;
}

bool fits(Shape shape, const Value& value) {
  switch (shape) {
    case Shape::kBoolean:
      return value.boolean() != nullptr;
    case Shape::kInteger:
      return value.integer() != nullptr;
    case Shape::kNumber:
      return value.is_number();
    case Shape::kString:
    case Shape::kLabel:
      return is_string(value);
    case Shape::kStringList:
    case Shape::kLabelList:
      return is_string(value) || every_item(value, is_string);
    case Shape::kFiles:
      return is_files(value);
    case Shape::kChannels: {
      const Table* table = value.table();
      return is_string(value) ||
             (table != nullptr && std::all_of(table->items.begin(), table->items.end(), is_string) &&
              std::all_of(table->fields.begin(), table->fields.end(),
                          [](const auto& field) { return is_string(field.second); }));
    }
    case Shape::kScalarMap:
      return every_field(value, [](const Value& field) { return field.is_scalar(); });
    case Shape::kStringMap:
      return every_field(value, is_string);
    case Shape::kArguments:
      return every_field(value, is_argument);
    case Shape::kFileLayers:
      return every_item(value, is_file_layer);
    case Shape::kVariants:
      return is_string(value) || every_field(value, is_string);
    case Shape::kWord:
      return is_string_or_placed(value);
    case Shape::kCommand:
      return every_item(value, is_string_or_placed);
    case Shape::kTable:
      return value.table() != nullptr;
    case Shape::kTableOrWord:
      return is_string(value) || value.table() != nullptr;
    case Shape::kDuration:
      return seconds_of(value).has_value();
  }
  return false;
}

std::string_view shape_text(Shape shape) {
  switch (shape) {
    case Shape::kBoolean:
      return "a boolean";
    case Shape::kInteger:
      return "a whole number";
    case Shape::kNumber:
      return "a number";
    case Shape::kString:
      return "a string";
    case Shape::kStringList:
      return "a string or a list of strings";
    case Shape::kFiles:
      return "a path, a glob, or a list of them";
    case Shape::kLabel:
      return "a label (a string)";
    case Shape::kLabelList:
      return "a label (a string) or a list of labels";
    case Shape::kChannels:
      return "a list of labels, or of `channel = label`";
    case Shape::kScalarMap:
      return "a table of `name = value`, each a string, number or boolean";
    case Shape::kStringMap:
      return "a table of `name = string`";
    case Shape::kArguments:
      return "a table of `name = value`, each a string, number, boolean, a list of these, or `data_dir "
             "\"x\"` and its like";
    case Shape::kFileLayers:
      return "a list of `{ srcs = files, dest = path }`";
    case Shape::kVariants:
      return "a string, or a table of `variant = string`";
    case Shape::kWord:
      return "a string, or `data_dir \"x\"` and its like";
    case Shape::kCommand:
      return "a list of strings";
    case Shape::kTable:
      return "a table";
    case Shape::kTableOrWord:
      return "a string, or a table";
    case Shape::kDuration:
      return "seconds as a number, or a string as \"90s\", \"10m\", \"2h\" or \"1d\"";
  }
  return "something else";
}

// "a table", and of a table which entry is not what was expected; of a duration, what it says.
std::string got(Shape shape, const Value& value) {
  if (shape == Shape::kDuration && value.is_scalar())
    return value.string() != nullptr ? quoted(*value.string()) : scalar_text(value);
  const Table* table = value.table();
  if (table == nullptr || shape == Shape::kString || shape == Shape::kLabel || shape == Shape::kBoolean ||
      shape == Shape::kNumber)
    return type_name(value);
  for (std::size_t i = 0; i < table->items.size(); ++i) {
    Value alone;
    alone.data = Table{{table->items[i]}, {}};
    if (!fits(shape, alone)) return cat(type_name(table->items[i]), " as item ", i + 1);
  }
  for (const auto& field : table->fields) {
    Value alone;
    alone.data = Table{{}, {field}};
    if (!fits(shape, alone)) return cat(type_name(field.second), " as ", quoted(field.first));
  }
  return type_name(value);
}

const Attribute* named(const std::vector<Attribute>& attributes, std::string_view name) {
  const auto found = std::find_if(attributes.begin(), attributes.end(),
                                  [&](const Attribute& attribute) { return attribute.name == name; });
  return found == attributes.end() ? nullptr : &*found;
}

std::vector<std::string> names_of(const std::vector<Attribute>& attributes) {
  std::vector<std::string> names;
  for (const Attribute& attribute : attributes) names.push_back(attribute.name);
  return names;
}

Location line_of(const Value& value, const Location& where) {
  return {where.file, value.line != 0 ? value.line : where.line};
}

// One walk over what is said of a target, and over the tables in it whose fields are known.
struct Check {
  const Location& where;
  std::string_view target;
  std::vector<Error> errors;

  std::vector<std::string> meant = {};  // names that a wrong one stands for, as far as can be told

  void named_fields(const std::vector<Attribute>& known, const Table& table, std::string_view of,
                    const std::string& before) {
    if (!table.items.empty()) {
      errors.push_back(user_error(cat(quoted(before.empty() ? target : of),
                                      " has a value without a name in it: ", type_name(table.items.front())),
                                  before.empty() ? "Every attribute is written `name = value`"
                                                 : "Every field is written `name = value`")
                           .at(line_of(table.items.front(), where)));
    }
    for (const auto& [name, value] : table.fields) {
      const Attribute* attribute = named(known, name);
      if (attribute == nullptr) {
        const std::optional<std::string> near = nearest(name, names_of(known));
        if (near) meant.push_back(before + *near);
        errors.push_back(user_error(cat(quoted(name), " is not ", before.empty() ? "an attribute" : "a field",
                                        " of ", quoted(of)),
                                    near ? cat("Did you mean ", quoted(*near), "?")
                                         : cat("It has ", join(names_of(known), ", ")))
                             .at(line_of(value, where)));
      } else if (!value.is_nil()) {  // nil: its error is told already
        one(*attribute, value, before + name);
      }
    }
  }

  void one(const Attribute& attribute, const Value& value, const std::string& path) {
    const bool is_little =
        attribute.least && value.integer() != nullptr && *value.integer() < *attribute.least;
    if (is_little || !fits(attribute.shape, value)) {
      errors.push_back(user_error(cat("Attribute ", quoted(path), " of ", quoted(target),
                                      " is wrong: expected ", expected(attribute), ", got ",
                                      is_little ? scalar_text(value) : got(attribute.shape, value)))
                           .at(line_of(value, where)));
      return;
    }
    if (!attribute.fields.empty() && value.table() != nullptr)
      named_fields(attribute.fields, *value.table(), path, path + ".");
    if (attribute.wrong == nullptr) return;
    for (Error& error : attribute.wrong(value)) {
      const int line = error.where.line != 0 ? error.where.line : line_of(value, where).line;
      errors.push_back(std::move(error).at({where.file, line}));
    }
  }
};

void use(const Attribute& attribute, const std::string& channel, const Value& value,
         std::vector<LabelUse>& into) {
  const std::string* text = value.string();
  if (text == nullptr || (attribute.shape == Shape::kVariants && !names_target(attribute, *text))) return;
  into.push_back({attribute.name, channel, *text, value.line});
}

}  // namespace

const Attribute* Schema::find(std::string_view name) const { return named(attributes, name); }

std::vector<std::string> Schema::names() const { return names_of(attributes); }

std::optional<std::int64_t> seconds_of(const Value& duration) {
  std::optional<double> number;
  double unit = 1;
  if (const std::string* text = duration.string(); text != nullptr && !text->empty()) {
    constexpr std::pair<char, double> kUnits[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    std::string_view digits = *text;
    for (const auto& [letter, seconds] : kUnits) {
      if (text->back() == letter) unit = seconds, digits = trim(digits.substr(0, text->size() - 1));
    }
    number = parse_number(digits);
  } else if (duration.is_number()) {
    number = duration.real() != nullptr ? *duration.real() : static_cast<double>(*duration.integer());
  }
  if (!number || !(*number > 0) || *number * unit > 1e9) return std::nullopt;
  return std::max<std::int64_t>(1, std::llround(*number * unit));
}

std::string expected(const Attribute& attribute) {
  std::string text(shape_text(attribute.shape));
  if (attribute.least) text += cat(" from ", *attribute.least);
  if (!attribute.fields.empty()) text += cat(" of ", join(names_of(attribute.fields), ", "));
  return text;
}

std::vector<Error> check(const Schema& schema, const Table& attributes, const Location& where,
                         std::string_view target) {
  Check check{where, target, {}};
  check.named_fields(schema.attributes, attributes, schema.kind, "");
  for (const Attribute& attribute : schema.attributes) {
    const bool is_meant =
        std::find(check.meant.begin(), check.meant.end(), attribute.name) != check.meant.end();
    if (attribute.required && !is_meant && attributes.find(attribute.name) == nullptr) {
      check.errors.push_back(user_error(cat(quoted(target), " has no ", quoted(attribute.name), ": expected ",
                                            expected(attribute)))
                                 .at(where));
    }
  }
  return std::move(check.errors);
}

bool names_target(const Attribute& attribute, std::string_view text) {
  const Result<Label> label = parse_label(text, "");
  return label &&
         std::find(attribute.labels.begin(), attribute.labels.end(), label->kind) != attribute.labels.end();
}

std::vector<LabelUse> label_uses(const Schema& schema, const Table& attributes) {
  std::vector<LabelUse> uses;
  for (const Attribute& attribute : schema.attributes) {
    if (attribute.labels.empty()) continue;
    const Value* value = attributes.find(attribute.name);
    if (value == nullptr) continue;
    use(attribute, "", *value, uses);
    const Table* table = value->table();
    if (table == nullptr) continue;
    for (const Value& item : table->items) use(attribute, "", item, uses);
    for (const auto& [channel, label] : table->fields) use(attribute, channel, label, uses);
  }
  return uses;
}

}  // namespace trainmake
