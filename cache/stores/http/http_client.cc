#include "cache/stores/http/http_client.h"

#include <algorithm>
#include <memory>

#include "cache/file_digests.h"
#include "cache/stores/http/http_answers.h"
#include "cache/stores/http/http_login.h"
#include "engine/base/encoding.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

bool is_expected(int status, std::initializer_list<int> expected) {
  return status < 300 || std::find(expected.begin(), expected.end(), status) != expected.end();
}

bool is_redirect(int status) { return status >= 300 && status < 400 && status != 304; }

// Without its query, which may be a key to what lies there.
std::string redirected_to(const HttpResponse& response) {
  const std::string to = header_value(response, "location");
  return to.substr(0, to.find('?'));
}

}  // namespace

Error changed_while_sent(const SentFile& file) {
  return step_error(cat(quoted(file.path), " changed while it was sent"),
                    "Run again: it was not put into the store");
}

HttpClient::HttpClient(Host& host, HttpPlace place, Tally& tally)
    : host_(host), place_(std::move(place)), tally_(tally), sender_(host, place_.sends) {}

Result<HttpClient::Access> HttpClient::read_access() {
  Access access;
  TRY_ASSIGN(const std::optional<HttpLogin> login, login_for(host_, place_));
  if (login) {
    access.authorization = cat("Basic ", base64_of(cat(login->user, ":", login->password.reveal())));
    access.from = login->from;
  }
  if (place_.ca.empty()) return access;
  Result<std::string> authorities = read_file(host_.files, place_.ca, std::uint64_t{16} << 20U);
  const std::string hint = cat("`ca` of store ", quoted(place_.name), " in TRAINSPACE.lua names it");
  if (!authorities) return fail(std::move(authorities).error().advise(hint));
  if (authorities->find("-----BEGIN CERTIFICATE-----") == std::string::npos)
    return fail(user_error(cat(quoted(place_.ca), " holds no certificate in PEM"), hint));
  access.authorities = *std::move(authorities);
  return access;
}

Result<HttpClient::Access> HttpClient::access() {
  const std::lock_guard lock(mutex_);
  if (!access_) {
    TRY_ASSIGN(access_, read_access());
  }
  return *access_;
}

std::string HttpClient::advice(const StoreRequest& request, const HttpResponse& response) const {
  if (is_redirect(response.status))
    return "Nothing is sent on: write the address where it lies as the store's `url`";
  switch (response.status) {
    case 401: {
      const std::lock_guard lock(mutex_);
      if (access_ && !access_->from.empty())
        return cat("The server does not know this user and password: check ", access_->from);
      return cat("It wants a login: `user = \"...\"` on store ", quoted(place_.name), " and ",
                 password_variable(place_.name), ", or an entry of `", place_.host, "` in ~/.netrc");
    }
    case 403:
      return "This user may not do that there: whoever runs the server can allow it";
    case 404:
      return "Check the path of the store's `url`";
    case 405:
      return cat("The server takes no ", request.method,
                 " there: switch on WebDAV, in nginx `dav_methods PUT DELETE MKCOL`");
    case 409:
      return "A folder lies there, or a file where a folder has to be";
    case 413:
      return "The server takes nothing so large: in nginx, `client_max_body_size 0` lifts that";
    case 507:
      return "The store is full; what arrived by then is not sent again";
    default:
      return "Run it again when the server is well; what it has by then is not sent again";
  }
}

Error HttpClient::refusal(const StoreRequest& request, const HttpResponse& response,
                          const std::string& doing) const {
  const std::string to = is_redirect(response.status) ? redirected_to(response) : "";
  return user_error(cat("Cannot ", doing, ": store ", quoted(place_.name), " answers ", response.status,
                        to.empty() ? "" : cat(" and sends on to ", quoted(to))),
                    advice(request, response))
      .because(Blame::kRemote);
}

// A list is one whichever way it is asked for; a folder that is made is put.
void HttpClient::count(const StoreRequest& request) {
  const bool is_list =
      request.method == "PROPFIND" || (request.method == "GET" && request.url.ends_with('/'));
  const Method method = is_list                      ? Method::kList
                        : request.method == "GET"    ? Method::kGet
                        : request.method == "HEAD"   ? Method::kHead
                        : request.method == "DELETE" ? Method::kDelete
                                                     : Method::kPut;
  ++tally_.requests[static_cast<std::size_t>(method)];
}

Result<void> HttpClient::add_body(const StoreRequest& request, HttpRequest& sent) {
  if (request.file == nullptr) {
    sent.body = request.body;
    return {};
  }
  TRY_ASSIGN(std::shared_ptr<FileReader> reader, host_.files.open(request.file->path));
  sent.body_size = request.file->size;
  sent.body_from =
      [reader, file = *request.file, left = request.file->size,
       hasher = std::make_shared<ContentHasher>()](std::span<char> into) mutable -> Result<std::size_t> {
    if (left == 0) return std::size_t{0};
    TRY_ASSIGN(const std::size_t count, reader->read(into.first(std::min<std::size_t>(into.size(), left))));
    if (count == 0) return fail(changed_while_sent(file));
    hasher->add({into.data(), count});
    left -= count;
    if (left == 0 && hasher->finish() != file.content) return fail(changed_while_sent(file));
    return count;
  };
  return {};
}

Result<HttpRequest> HttpClient::make(const StoreRequest& request) {
  TRY_ASSIGN(const Access ours, access());
  HttpRequest made;
  made.method = request.method;
  made.url = request.url;
  made.headers = request.headers;
  if (request.reading != nullptr) request.reading->ask(made);
  made.authorities = ours.authorities;
  if (!ours.authorization.empty()) made.headers.emplace_back("Authorization", ours.authorization);
  TRY(add_body(request, made));
  count(request);
  return made;
}

Result<HttpResponse> HttpClient::send(const StoreRequest& request, const std::string& doing,
                                      const std::stop_token& stop, std::initializer_list<int> expected) {
  const std::uint64_t bytes = request.file == nullptr ? request.body.size() : request.file->size;
  Result<HttpResponse> response = sender_.send(
      [&] { return make(request); }, {{bytes, request.is_urgent}, request.may_write}, stop, expected);
  if (!response || is_expected(response->status, expected)) return response;
  return fail(refusal(request, *response, doing));
}

}  // namespace trainmake
