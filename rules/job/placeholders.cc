#include "rules/job/placeholders.h"

#include <algorithm>

#include "engine/base/text.h"

namespace trainmake {
namespace {

using Words = std::map<std::string, std::string, std::less<>>;

bool is_of_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// The size of `{name}` where text begins with one, else 0.
std::size_t placeholder_at(std::string_view text) {
  if (!text.starts_with('{')) return 0;
  const auto end = std::find_if_not(text.begin() + 1, text.end(), is_of_name);
  const std::size_t size = static_cast<std::size_t>(end - text.begin());
  return size > 1 && end != text.end() && *end == '}' ? size + 1 : 0;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

std::string filled_in(std::string_view text, const Words& words, const Words& more) {
  std::string out;
  while (!text.empty()) {
    const std::size_t size = placeholder_at(text);
    if (size == 0) {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    const std::string_view name = text.substr(1, size - 2);
    const auto special = more.find(name);
    const auto common = words.find(name);
    out += special != more.end()   ? special->second
           : common != words.end() ? common->second
                                   : std::string(text.substr(0, size));
    text.remove_prefix(size);
  }
  return out;
}

bool has_any(const std::vector<std::string>& names, std::initializer_list<std::string_view> wanted) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return std::find(wanted.begin(), wanted.end(), name) != wanted.end();
  });
}

}  // namespace

const std::vector<std::string>& placeholder_names() {
  static const std::vector<std::string> names = {"code",
                                                 "data",
                                                 "output",
                                                 "checkpoint",
                                                 "log",
                                                 "home",
                                                 "top",
                                                 "params",
                                                 "label",
                                                 "run",
                                                 "main",
                                                 "nodes",
                                                 "gpus",
                                                 "gpus_if_any",
                                                 "cpu_if_caffe",
                                                 "cpus",
                                                 "host",
                                                 "hosts_json",
                                                 "channel",
                                                 "CHANNEL",
                                                 "param",
                                                 "PARAM",
                                                 "value",
                                                 "params_json",
                                                 "arguments_json",
                                                 "channels_json",
                                                 "channel_modes_json",
                                                 "hyperparameters_json",
                                                 "hyperparameter_texts_json"};
  return names;
}

std::vector<std::string> placeholders_in(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const std::size_t size = placeholder_at(text);
    if (size != 0) names.emplace_back(text.substr(1, size - 2));
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return names;
}

Repeats repeats(std::string_view name, std::string_view text) {
  std::vector<std::string> names = placeholders_in(name);
  const std::vector<std::string> in_text = placeholders_in(text);
  names.insert(names.end(), in_text.begin(), in_text.end());
  if (has_any(names, {"channel", "CHANNEL"})) return Repeats::kChannels;
  return has_any(names, {"param", "PARAM", "value"}) ? Repeats::kParameters : Repeats::kNo;
}

std::vector<std::pair<std::string, std::string>> filled(
    const std::vector<std::pair<std::string, std::string>>& texts, const Filling& filling) {
  std::vector<std::pair<std::string, std::string>> all;
  const auto add = [&](const auto& named, const Words& more) {
    all.emplace_back(filled_in(named.first, filling.words, more),
                     filled_in(named.second, filling.words, more));
  };
  for (const auto& named : texts) {
    switch (repeats(named.first, named.second)) {
      case Repeats::kNo:
        add(named, {});
        break;
      case Repeats::kChannels:
        for (const std::string& channel : filling.channels)
          add(named, {{"channel", channel}, {"CHANNEL", upper(channel)}});
        break;
      case Repeats::kParameters:
        for (const auto& [name, value] : filling.parameters)
          add(named, {{"param", name}, {"PARAM", upper(name)}, {"value", value}});
        break;
    }
  }
  return all;
}

}  // namespace trainmake
