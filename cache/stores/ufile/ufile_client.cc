#include "cache/stores/ufile/ufile_client.h"

#include <algorithm>

#include "cache/stores/ufile/ufile_answers.h"
#include "engine/base/hash.h"
#include "engine/base/redactor.h"
#include "engine/base/text.h"
#include "engine/cloud/ufile_signature.h"

namespace trainmake {
namespace {

constexpr std::int64_t kNameTaken = 15000;

bool is_expected(int status, std::initializer_list<int> expected) {
  return status < 300 || std::find(expected.begin(), expected.end(), status) != expected.end();
}

// What to do about a refusal of the store.
std::string advice(const UfileError& error, int status, const UfilePlace& place) {
  if (error.no_bucket())
    return cat("Check the name and the `region`; `create = true` on store ", quoted(place.name),
               " makes it, and a bucket of another project is not seen");
  if (error.not_signed())
    return "Check UCLOUD_PUBLIC_KEY and UCLOUD_PRIVATE_KEY, or the profile: the service does not take their "
           "signature. An `endpoint` is without the bucket, and without `www.`";
  const bool says_why = error.code != 0 || !error.message.empty();
  if ((status == 401 || status == 403) && !says_why)
    return "Check UCLOUD_PUBLIC_KEY and UCLOUD_PRIVATE_KEY, or the profile; if these are right, whoever owns "
           "the "
           "bucket can allow it";
  if (status == 401 || status == 403)
    return "These keys may not do that: whoever owns the bucket can allow it";
  if (status == 413 || status == 507)
    return "The store is full, or takes nothing so large; what arrived by then is not sent again";
  return "Run it again when the store is well; what it has by then is not sent again";
}

// What to do about a refusal of the API to make a bucket.
std::string advice_of_making(std::int64_t code) {
  switch (code) {
    case kNameTaken:
      return "Buckets are called apart all over UCloud, and somebody has that one: choose another name";
    case 15011:
    case 15051:
      return "The account has as many buckets as it may have";
    case 15019:
    case 15050:
      return "The account has no money left";
    case 15041:
      return "UCloud wants to know first who owns the account: its console asks";
    case 171:
    case 172:
      return "Check UCLOUD_PUBLIC_KEY and UCLOUD_PRIVATE_KEY: the service does not know these keys";
    default:
      return "Make it in UCloud's console, or with `us3cli mb`; keys that begin with `TOKEN_` may not";
  }
}

}  // namespace

StoredObject ufile_object(const std::string& key, const HttpResponse& head) {
  return {key, whole_number<std::uint64_t>(header_value(head, "content-length")).value_or(0),
          without_quotes(header_value(head, "etag")),
          Digest128::parse(header_value(head, "x-ufile-meta-trainmake"))};
}

UfileClient::UfileClient(Host& host, UfilePlace place, Tally& tally)
    : host_(host), place_(std::move(place)), tally_(tally), sender_(host, place_.sends) {}

Result<UCloudAccount> UfileClient::account() {
  const std::lock_guard lock(mutex_);
  if (!account_) {
    TRY_ASSIGN(account_, find_ucloud_account(host_, place_.profile));
  }
  return *account_;
}

// Without our key, which an answer may have from our request.
std::string UfileClient::hidden(const std::string& text) const {
  const std::lock_guard lock(mutex_);
  return account_ ? Redactor({account_->keys.private_key.reveal()}).redact(text) : text;
}

void UfileClient::count(const std::string& method) {
  std::string name = method;
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  const auto known = std::find(kMethods.begin(), kMethods.end(), name);
  CHECK(known != kMethods.end());
  ++tally_.requests[static_cast<std::size_t>(known - kMethods.begin())];
}

Error UfileClient::refusal(const HttpResponse& response, const std::string& doing) const {
  const UfileError error = parse_ufile_error(response.body);
  const std::string session = header_value(response, "x-sessionid");
  return user_error(cat("Cannot ", doing, ": store ", quoted(place_.name), " answers ", response.status,
                        error.code == 0 ? "" : cat(", ", error.code),
                        error.message.empty() ? "" : cat(": ", printable(hidden(error.message))),
                        session.empty() ? "" : cat(" (session ", printable(session), ")")),
                    advice(error, response.status, place_))
      .because(Blame::kRemote);
}

Result<HttpRequest> UfileClient::make(const UfileRequest& request) {
  TRY_ASSIGN(const UCloudAccount who, account());
  HttpRequest made;
  made.method = request.method;
  made.url = place_.url(request.key, request.query);
  made.headers = request.headers;
  if (request.reading != nullptr) request.reading->ask(made);
  if (const std::string host = place_.host(); !host.empty()) made.headers.emplace_back("Host", host);
  if (!request.md5.empty()) made.headers.emplace_back("Content-MD5", request.md5);
  if (request.method == "PUT" || request.method == "POST")
    made.headers.emplace_back("Content-Type", "application/octet-stream");
  if (request.range == nullptr)
    send_bytes(request.body, made);
  else
    TRY(send_range(host_.files, *request.range, made));
  sign_ufile(made, place_.bucket, request.key.empty() ? "" : place_.object(request.key), who.keys);
  count(request.query.starts_with("listobjects") ? "LIST" : request.method);
  return made;
}

Result<HttpResponse> UfileClient::ask(const UfileRequest& request, const std::stop_token& stop) {
  return sender_.send([&] { return make(request); },
                      {{request.body_size(), request.is_urgent}, request.may_write}, stop);
}

Result<HttpResponse> UfileClient::send(const UfileRequest& request, const std::string& doing,
                                       const std::stop_token& stop, std::initializer_list<int> expected) {
  TRY_ASSIGN(HttpResponse response, ask(request, stop));
  const bool puts = request.method == "PUT" || request.method == "POST";
  if (puts && place_.create && response.status >= 300 && parse_ufile_error(response.body).no_bucket()) {
    Result<void> made = make_bucket(stop);  // unless somebody of this account did a moment ago
    TRY_ASSIGN(response, ask(request, stop));
    if (!made && !is_expected(response.status, expected)) return fail(std::move(made).error());
  }
  if (!is_expected(response.status, expected)) return fail(refusal(response, doing));
  return response;
}

// A call of UCloud's API, which knows buckets but no objects. It refuses with a status of 200, too.
Result<void> UfileClient::make_bucket(const std::stop_token& stop) {
  const std::lock_guard one_alone(making_);
  if (made_) return {};
  TRY_ASSIGN(const UCloudAccount who, account());
  UCloudParameters parameters = {{"Action", "CreateBucket"},
                                 {"BucketName", place_.bucket},
                                 {"Region", place_.region},
                                 {"Type", "private"}};
  const std::string& project = place_.project.empty() ? who.project : place_.project;
  if (!project.empty()) parameters["ProjectId"] = project;
  TRY_ASSIGN(const HttpRequest request,
             ucloud_call(who, place_.api.empty() ? who.api : place_.api, std::move(parameters)));
  int calls = 0;
  const auto make_call = [&]() -> Result<HttpRequest> {
    ++calls;
    count(request.method);
    return request;
  };
  TRY_ASSIGN(const HttpResponse response, sender_.send(make_call, {{request.body.size()}}, stop));
  const UfileError error = parse_ufile_error(response.body);
  // Taken, by ourselves: it was made when that was asked first, and the answer was lost.
  const bool is_made = error.code == 0 || (error.code == kNameTaken && calls > 1);
  if (response.status >= 300 || !is_made || response.body.empty())
    return fail(user_error(cat("Cannot make bucket ", quoted(place_.bucket), ": UCloud answers ",
                               response.status, error.code == 0 ? "" : cat(", ", error.code),
                               error.message.empty() ? "" : cat(": ", printable(hidden(error.message)))),
                           advice_of_making(error.code))
                    .because(Blame::kRemote));
  made_ = true;
  return {};
}

}  // namespace trainmake
