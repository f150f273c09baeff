#include "engine/cloud/aws_signature.h"

#include <algorithm>
#include <ctime>
#include <map>
#include <vector>

#include "engine/base/hash.h"
#include "engine/base/letter_case.h"
#include "engine/base/text.h"
#include "engine/cloud/hmac.h"

namespace trainmake {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::int64_t kSecond = 1'000'000'000;

// What stands between scheme and fragment.
struct UrlParts {
  std::string_view host;
  std::string_view path;
  std::string_view query;
};

UrlParts parts_of(std::string_view url) {
  UrlParts parts;
  const std::size_t scheme = url.find("://");
  if (scheme != url.npos) url.remove_prefix(scheme + 3);
  const std::size_t path = std::min(url.find_first_of("/?"), url.size());
  parts.host = url.substr(0, path);
  url.remove_prefix(path);
  const std::size_t query = std::min(url.find('?'), url.size());
  parts.path = url.substr(0, query);
  if (query < url.size()) parts.query = url.substr(query + 1);
  return parts;
}

// Sorted by name and value, a name alone with `=`.
std::string canonical_query(std::string_view query) {
  std::vector<std::string> pairs;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair.empty()) continue;
    pairs.push_back(cat(pair, pair.find('=') == pair.npos ? "=" : ""));
  }
  // `=` sorts behind `-` and digits, which a longer name may go on with.
  std::sort(pairs.begin(), pairs.end(), [](std::string_view a, std::string_view b) {
    const std::size_t end_a = a.find('='), end_b = b.find('=');
    const int names = a.substr(0, end_a).compare(b.substr(0, end_b));
    return names != 0 ? names < 0 : a.substr(end_a) < b.substr(end_b);
  });
  return join(pairs, "&");
}

// `20130524T000000Z`
std::string time_text(std::int64_t now_ns) {
  const std::time_t seconds = static_cast<std::time_t>(now_ns / kSecond);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[sizeof "20130524T000000Z"];
  const std::size_t size = std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
  return {text, size};
}

}  // namespace

void sign_aws(HttpRequest& request, std::string_view payload, const AwsKeys& keys, const AwsScope& scope,
              std::int64_t now_ns) {
  const UrlParts url = parts_of(request.url);
  const std::string time = time_text(now_ns);
  const std::string day = time.substr(0, 8);
  request.headers.emplace_back("x-amz-date", time);
  if (scope.service == "s3") request.headers.emplace_back("x-amz-content-sha256", payload);
  if (!keys.token.empty()) request.headers.emplace_back("x-amz-security-token", keys.token.reveal());

  std::map<std::string, std::string> headers = {{"host", std::string(url.host)}};
  for (const auto& [name, value] : request.headers) headers[lower_case(name)] = trim(value);
  std::string listed, names;
  for (const auto& [name, value] : headers) {
    listed += cat(name, ":", value, "\n");
    names += cat(names.empty() ? "" : ";", name);
  }
  const std::string canonical = cat(request.method, "\n", url.path.empty() ? "/" : url.path, "\n",
                                    canonical_query(url.query), "\n", listed, "\n", names, "\n", payload);
  const std::string within = cat(day, "/", scope.region, "/", scope.service, "/aws4_request");
  const std::string to_sign = cat(kAlgorithm, "\n", time, "\n", within, "\n", sha256_of(canonical).hex());
  std::string key = hmac_sha256(cat("AWS4", keys.secret.reveal()), day);
  for (const std::string_view part :
       {std::string_view(scope.region), std::string_view(scope.service), std::string_view("aws4_request")})
    key = hmac_sha256(key, part);
  request.headers.emplace_back(
      "Authorization", cat(kAlgorithm, " Credential=", keys.id, "/", within, ", SignedHeaders=", names,
                           ", Signature=", hex_of(hmac_sha256(key, to_sign))));
}

}  // namespace trainmake
