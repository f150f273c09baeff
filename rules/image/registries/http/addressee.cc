#include "rules/image/registries/http/addressee.h"

#include "engine/base/letter_case.h"
#include "engine/base/text.h"
#include "engine/base/url.h"
#include "rules/image/registries/http/address.h"

namespace trainmake {
namespace {

// Without a port that goes without saying.
std::string reached_host(const std::string& url) {
  std::string host = lower_case(host_of(url));
  const std::string_view usual = lower_case(url).starts_with("https://") ? ":443" : ":80";
  if (host.ends_with(usual)) host.erase(host.size() - usual.size());
  return host;
}

bool is_named(const std::string& url, const Environment& environment) {
  for (std::string named : split(environment.get(kTrustedEndpoints).value_or(""), ' ')) {
    while (named.ends_with('/')) named.pop_back();
    if (named == url) return true;
  }
  return false;
}

}  // namespace

Addressee addressee_of(const RemotePlace& place, const Environment& environment) {
  if (is_on_this_machine(place.url)) return {place.host};
  const bool is_secret = lower_case(place.url).starts_with("https://");
  const std::string reached = reached_host(place.url);
  const bool is_own = reached == reached_host(url_of_registry(place.host, !is_secret));
  if (is_named(place.url, environment) && (is_secret || is_own)) return {place.host};
  if (is_own && is_secret) return {place.host};
  const std::string trust = cat("`export ", kTrustedEndpoints, "=", place.url, "`");
  if (is_own)
    return {"", cat(quoted(place.url),
                    " is plain http, which gets no login: reach it by https, or, where "
                    "nobody reads along, ",
                    trust)};
  const std::string elsewhere =
      cat("its `endpoint` is at ", quoted(reached), ", which does not get the login of ", quoted(place.host));
  if (!is_secret) return {"", cat(elsewhere, ", nor any over plain http: reach it by https")};
  return {reached, cat(elsewhere, ": `trainmake login ", reached, "` keeps one of its own, and ", trust,
                       " lets it have the other")};
}

}  // namespace trainmake
