// What a server's answers say: headers, and the two kinds of lists of a folder. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/host.h"

namespace trainmake {

std::uint64_t size_of_answer(const HttpResponse& response);  // of an object

// Of an object: its ETag without quotes. Where there is none, one is made of its time and size in the form
// that nginx gives its own, whose lists tell none.
std::string tag_of_answer(const HttpResponse& response);

// Whether what replaces an object now may get the same tag: one that is made of seconds, and of this one.
bool may_share_its_tag(const HttpResponse& response);

struct HttpListed {
  std::string name;  // as it is there, not encoded
  bool is_folder = false;
  std::uint64_t size = 0;
  std::string tag;
  std::int64_t changed_ns = 0;  // where its tag tells of a second and no more
};
// Whether one of them may be another by now and have the same tag.
bool may_share_their_tags(const std::vector<HttpListed>& listed, const HttpResponse& list);
// WebDAV's answer to PROPFIND with depth 1 for `folder`, as `/a b/`: what lies in it.
Result<std::vector<HttpListed>> parse_multistatus(std::string_view xml, const std::string& folder);
// nginx's list of a folder, with `autoindex_format json`; nothing when it is no such list.
std::optional<std::vector<HttpListed>> parse_autoindex(std::string_view json);

}  // namespace trainmake
