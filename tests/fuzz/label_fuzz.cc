// Feeds labels and patterns: whatever is read must print as something that reads back the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/model/label.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trainmake;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const char* here : {"", "vision/mnist"}) {
    if (const Result<Label> label = parse_label(text, here)) {
      CHECK(parse_label(label->text(), "elsewhere").value() == *label);
      CHECK(parse_label(label->shortest_from(here), here).value() == *label);
    }
    if (const Result<Pattern> pattern = parse_pattern(text, here)) {
      const Result<Pattern> again = parse_pattern(pattern->text(), "elsewhere");
      CHECK(again && again->text() == pattern->text());
    }
  }
  return 0;
}
