#include "cache/stores/pages.h"

#include "engine/base/text.h"

namespace trainmake {

// A page may be empty, of objects that went meanwhile.
bool Pages::go_on(std::string_view first_key, std::string_view next) {
  constexpr int kMostEmpty = 100;
  const bool is_same = !first_key.empty() && first_key == first_key_;
  empty_ = first_key.empty() ? empty_ + 1 : 0;
  if (!first_key.empty()) first_key_ = first_key;
  return !is_same && empty_ <= kMostEmpty && tokens_.insert(digest_of(next)).second;
}

Error endless_list(const std::string& doing, const std::string& name) {
  return user_error(cat("Cannot ", doing, ": store ", quoted(name),
                        " says that there is more, and then says the same again"),
                    "Whoever runs the service can mend its lists; is there a proxy in between?")
      .because(Blame::kRemote);
}

}  // namespace trainmake
