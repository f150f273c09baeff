// Http over libcurl, opened with the first request. One multi handle on one thread carries all requests, so
// that connections are shared; those who send wait on their own threads. Redirects are not followed: a signed
// request is for one address. Whom this machine trusts is what libcurl was built with, or what SSL_CERT_FILE
// and SSL_CERT_DIR name.
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <future>
#include <mutex>
#include <thread>

#include "engine/base/host.h"
#include "engine/base/proxy.h"
#include "engine/base/text.h"
#include "engine/base/url.h"

namespace trainmake {

namespace {

constexpr long kUploadBuffer = 512L << 10U;
constexpr long kSilentSeconds = 60;  // a transfer that moves nothing for so long has failed
// Of an answer that is held whole: the manifest object of ten million files is the longest that is meant.
constexpr std::size_t kMostHeld = std::size_t{1} << 30U;
constexpr std::size_t kMostTold = std::size_t{1} << 20U;  // of one that says what is wrong

// clang-format off
#define TM_CURL_FUNCTIONS(USE) \
  USE(easy_cleanup) \
  USE(easy_getinfo) \
  USE(easy_init) \
  USE(easy_setopt) \
  USE(easy_strerror) \
  USE(global_init) \
  USE(multi_add_handle) \
  USE(multi_info_read) \
  USE(multi_init) \
  USE(multi_perform) \
  USE(multi_poll) \
  USE(multi_remove_handle) \
  USE(multi_wakeup) \
  USE(slist_append) \
  USE(slist_free_all)
// clang-format on

// Each member has the name and the type of the function it stands for.
struct Library {
#define TM_CURL_MEMBER(name) decltype(&::curl_##name) name = nullptr;
  TM_CURL_FUNCTIONS(TM_CURL_MEMBER)
#undef TM_CURL_MEMBER
};

std::string open_library(Library& library) {
  void* handle = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return ::dlerror();
  std::string missing;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(handle, name));
    if (function == nullptr) missing = cat("it has no ", name);
  };
#define TM_CURL_FIND(name) find(library.name, "curl_" #name);
  TM_CURL_FUNCTIONS(TM_CURL_FIND)
#undef TM_CURL_FIND
  if (missing.empty()) library.global_init(CURL_GLOBAL_DEFAULT);
  return missing;
}

// What SSL_CERT_FILE and SSL_CERT_DIR name in place of the machine's own; "" where they do not.
struct Trust {
  std::string file, folder;
  std::string file_text;  // what it holds
};

// One request on its way. Prepared and read by the one who sends; between those, it is the loop's alone.
struct Transfer {
  Transfer(const Library& library, const Trust& trust, const HttpRequest& wanted)
      : curl(library), request(wanted), easy(curl.easy_init()) {
    CHECK(easy != nullptr);
    prepare();
    add_trust(trust);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer() {
    curl.easy_cleanup(easy);
    curl.slist_free_all(headers);
  }

  void prepare();
  void add_trust(const Trust& trust);
  void add_body();
  void add_headers();
  bool take(std::string_view bytes);
  std::size_t give(std::span<char> into);
  Result<HttpResponse> answer(CURLcode code);
  Error not_reached(CURLcode code) const;
  void never_resend();

  static std::size_t take_body(char* bytes, std::size_t, std::size_t count, void* self) {
    return static_cast<Transfer*>(self)->take({bytes, count}) ? count : 0;
  }
  static std::size_t give_body(char* into, std::size_t, std::size_t count, void* self) {
    return static_cast<Transfer*>(self)->give({into, count});
  }
  // Before each time that it is sent. libcurl sends again, by itself, what it sent over a connection that was
  // kept and then closed without an answer.
  static int begin(void* self, char*, char*, int, int) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.is_resent = std::exchange(transfer.is_begun, true);
    return transfer.is_resent ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
  }
  static std::size_t take_header(char* bytes, std::size_t, std::size_t count, void* self) {
    const std::string_view line = trim({bytes, count});
    auto& taken = static_cast<Transfer*>(self)->response.headers;
    if (line.starts_with("HTTP/")) taken.clear();  // what came before was `100 Continue`
    const std::size_t colon = line.find(':');
    if (colon == line.npos) return count;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    taken.emplace_back(std::move(name), trim(line.substr(colon + 1)));
    return count;
  }

  const Library& curl;
  const HttpRequest& request;
  CURL* easy;
  curl_slist* headers = nullptr;
  HttpResponse response;
  std::optional<Error> ours;  // of body_from or body_to: what ended the transfer
  std::array<char, CURL_ERROR_SIZE> reason{};
  bool is_begun = false, is_resent = false;
  std::promise<CURLcode> done;
};

void Transfer::prepare() {
  const auto set = [&](CURLoption option, auto value) { curl.easy_setopt(easy, option, value); };
  set(CURLOPT_URL, request.url.c_str());
  if (request.never_twice) set(CURLOPT_FRESH_CONNECT, 1L);
  if (request.never_resent) never_resend();
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_within.count()));
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, kSilentSeconds);
  set(CURLOPT_MAX_SEND_SPEED_LARGE, static_cast<curl_off_t>(request.bytes_a_second));
  set(CURLOPT_USERAGENT, "trainmake/" TRAINMAKE_VERSION);
  set(CURLOPT_ERRORBUFFER, reason.data());
  set(CURLOPT_PRIVATE, static_cast<void*>(this));
  set(CURLOPT_WRITEFUNCTION, &Transfer::take_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(CURLOPT_HEADERFUNCTION, &Transfer::take_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  if (request.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else {
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    add_body();
  }
  add_headers();
  set(CURLOPT_HTTPHEADER, headers);
}

// One that is too old to ask gets a connection for each.
void Transfer::never_resend() {
  curl.easy_setopt(easy, CURLOPT_PREREQDATA, static_cast<void*>(this));
  if (curl.easy_setopt(easy, CURLOPT_PREREQFUNCTION, &Transfer::begin) != CURLE_OK)
    curl.easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
}

// Both lists of certificates count, the file's and the folder's. Ours replaces the file, and so holds it.
void Transfer::add_trust(const Trust& trust) {
  if (!trust.folder.empty()) curl.easy_setopt(easy, CURLOPT_CAPATH, trust.folder.c_str());
  if (request.authorities.empty()) {
    if (!trust.file.empty()) curl.easy_setopt(easy, CURLOPT_CAINFO, trust.file.c_str());
    return;
  }
  std::string all = cat(request.authorities, "\n", trust.file_text);
  curl_blob blob{all.data(), all.size(), CURL_BLOB_COPY};
  curl.easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
}

void Transfer::add_body() {
  const auto set = [&](CURLoption option, auto value) { curl.easy_setopt(easy, option, value); };
  if (request.body_from) {
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body_size));
    set(CURLOPT_UPLOAD_BUFFERSIZE, kUploadBuffer);
    set(CURLOPT_READFUNCTION, &Transfer::give_body);
    set(CURLOPT_READDATA, static_cast<void*>(this));
    return;
  }
  const bool has_body = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (!has_body && request.body.empty()) return;
  set(CURLOPT_POSTFIELDS, request.body.data());
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
}

bool Transfer::take(std::string_view bytes) {
  long status = 0;
  curl.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  if (!request.body_to || (status != 200 && status != 206)) {
    const std::size_t most = status >= 300 ? kMostTold : kMostHeld;
    if (response.body.size() + bytes.size() <= most) {
      response.body.append(bytes);
      return true;
    }
    ours = user_error(cat(quoted(host_of(request.url)), " answers with more than ", human_bytes(most)),
                      "Is there a proxy in between?")
               .because(Blame::kRemote)
               .lasting();
    return false;
  }
  response.status = static_cast<int>(status);
  Result<void> taken = request.body_to(response, bytes);
  if (taken) return true;
  ours = std::move(taken).error();
  return false;
}

std::size_t Transfer::give(std::span<char> into) {
  Result<std::size_t> given = request.body_from(into);
  if (given) return *given;
  ours = std::move(given).error();
  return CURL_READFUNC_ABORT;
}

// As they were given and nothing added: a signature may cover them all.
void Transfer::add_headers() {
  bool has_type = false;
  for (const auto& [name, value] : request.headers) {
    headers = curl.slist_append(headers, (value.empty() ? cat(name, ';') : cat(name, ": ", value)).c_str());
    has_type = has_type || name == "Content-Type" || name == "content-type";
  }
  if (!has_type) headers = curl.slist_append(headers, "Content-Type:");
  headers = curl.slist_append(headers, "Expect:");
}

Result<HttpResponse> Transfer::answer(CURLcode code) {
  const std::string host = quoted(host_of(request.url));
  if (ours) return fail(*std::move(ours));
  switch (code) {
    case CURLE_OK:
      break;
    case CURLE_ABORTED_BY_CALLBACK:
      if (is_resent) {
        reason[0] = '\0';
        return fail(not_reached(CURLE_GOT_NOTHING));
      }
      return fail(user_error(cat("The request to ", host, " was interrupted")).because(Blame::kInterrupted));
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return fail(user_error(cat(quoted(without_query(request.url)), " is no address for a request"),
                             "It starts with `https://` or `http://`"));
    case CURLE_PEER_FAILED_VERIFICATION:
      return fail(user_error(cat("Cannot trust ", host, ": ", printable(reason.data())),
                             "If it is yours, name who signed its certificate: `ca = \"ca.crt\"` beside its "
                             "`url` in TRAINSPACE.lua, or SSL_CERT_FILE")
                      .because(Blame::kRemote)
                      .lasting());
    case CURLE_SSL_CACERT_BADFILE:
      return fail(user_error(cat("Cannot trust ", host, ": ", printable(reason.data())),
                             "`ca` in TRAINSPACE.lua and SSL_CERT_FILE name files of PEM certificates"));
    case CURLE_SSL_CONNECT_ERROR:
      return fail(user_error(cat("Cannot speak TLS with ", host, ": ", printable(reason.data())),
                             "If it speaks plain http, say so: a store's `endpoint` or `url` begins with "
                             "`http://` then, and a registry has `insecure = true`")
                      .because(Blame::kRemote));
    default:
      return fail(not_reached(code));
  }
  long status = 0;
  curl.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  response.status = static_cast<int>(status);
  const char* redirect = nullptr;
  curl.easy_getinfo(easy, CURLINFO_REDIRECT_URL, &redirect);
  if (redirect != nullptr) response.redirect = redirect;
  return std::move(response);
}

Error Transfer::not_reached(CURLcode code) const {
  const std::string host = quoted(host_of(request.url));
  // What libcurl says of a proxy's name may hold its login.
  const bool is_told = reason[0] != '\0' && code != CURLE_COULDNT_RESOLVE_PROXY;
  const std::string text = printable(is_told ? reason.data() : curl.easy_strerror(code));
  if (const std::optional<ProxyUse> proxy = proxy_for(request.url, Environment::of_process()))
    return user_error(cat("Cannot reach ", host, " through the proxy ", quoted(proxy->host), ": ", text),
                      cat(proxy->variable, " in the environment names it: correct it, or take ", host,
                          " out with no_proxy"))
        .because(Blame::kRemote);
  return user_error(cat("Cannot reach ", host, ": ", text),
                    "Check the network and the endpoint, then run it again")
      .because(Blame::kRemote);
}

// The thread that carries the transfers, to the end of the process: what libcurl uses is taken down at exit
// in an order that is not ours to choose, so we do not take part. Thread rule: start and cancel from any
// thread.
class Loop {
 public:
  explicit Loop(const Library& library) : curl_(library), multi_(curl_.multi_init()) {
    std::thread([this] { run(); }).detach();
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  std::uint64_t start(Transfer& transfer) {
    const std::lock_guard lock(mutex_);
    arrived_.emplace_back(++last_, &transfer);
    curl_.multi_wakeup(multi_);
    return last_;
  }
  void cancel(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    cancelled_.push_back(number);
    curl_.multi_wakeup(multi_);
  }

 private:
  [[noreturn]] void run() {
    while (true) {
      take_orders();
      int running = 0;
      curl_.multi_perform(multi_, &running);
      int left = 0;
      while (const CURLMsg* message = curl_.multi_info_read(multi_, &left)) {
        if (message->msg == CURLMSG_DONE) finish(message->easy_handle, message->data.result);
      }
      curl_.multi_poll(multi_, nullptr, 0, 60'000, nullptr);
    }
  }

  void take_orders() {
    const std::lock_guard lock(mutex_);
    for (const auto& [number, transfer] : arrived_) {
      active_.emplace(number, transfer->easy);
      curl_.multi_add_handle(multi_, transfer->easy);
    }
    arrived_.clear();
    for (const std::uint64_t number : cancelled_) {
      const auto found = active_.find(number);  // it may have come to its end by itself
      if (found != active_.end()) finish(found->second, CURLE_ABORTED_BY_CALLBACK);
    }
    cancelled_.clear();
  }

  void finish(CURL* easy, CURLcode code) {
    void* transfer = nullptr;
    curl_.easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    curl_.multi_remove_handle(multi_, easy);
    std::erase_if(active_, [&](const auto& entry) { return entry.second == easy; });
    static_cast<Transfer*>(transfer)->done.set_value(code);
  }

  const Library& curl_;
  CURLM* multi_;
  std::map<std::uint64_t, CURL*> active_;  // the loop's own
  std::mutex mutex_;
  std::uint64_t last_ = 0;
  std::vector<std::pair<std::uint64_t, Transfer*>> arrived_;
  std::vector<std::uint64_t> cancelled_;
};

class RealHttp final : public Http {
 public:
  Result<HttpResponse> send(const HttpRequest& request, std::stop_token stop) override {
    for (const auto& [name, value] : request.headers) {
      if (cat(name, value).find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos) continue;
      return fail(user_error(cat("Header ", quoted(name), " has a line break in it"),
                             "Does a token end in a newline?"));
    }
    TRY_ASSIGN(Loop * loop, start());
    Transfer transfer(library_, trust_, request);
    std::future<CURLcode> done = transfer.done.get_future();
    const std::uint64_t number = loop->start(transfer);
    const std::stop_callback on_stop(stop, [&] { loop->cancel(number); });
    const CURLcode code = done.get();
    const bool is_stopped = code != CURLE_OK && stop.stop_requested();
    if (is_stopped) transfer.is_resent = false;
    return transfer.answer(is_stopped ? CURLE_ABORTED_BY_CALLBACK : code);
  }

  // What goes wrong is told by the first request.
  std::jthread get_ready() override {
    return std::jthread([this] { static_cast<void>(start()); });
  }

 private:
  Result<Loop*> start() {
    const std::lock_guard lock(mutex_);
    if (loop_ != nullptr) return loop_;
    const std::string problem = open_library(library_);
    if (!problem.empty()) {
      return fail(
          user_error(cat("Cannot load libcurl: ", problem), "Install it (Debian: `apt install libcurl4`)"));
    }
    find_trust();
    loop_ = new Loop(library_);
    return loop_;
  }

  // A file that cannot be read is libcurl's to complain of, once it matters.
  void find_trust() {
    const Environment environment = Environment::of_process();
    trust_.file = environment.get("SSL_CERT_FILE").value_or("");
    trust_.folder = environment.get("SSL_CERT_DIR").value_or("");
    if (!trust_.file.empty()) trust_.file_text = read_file(real_file_system(), trust_.file).value_or("");
  }

  std::mutex mutex_;
  Library library_;
  Trust trust_;
  Loop* loop_ = nullptr;
};

}  // namespace

Http& real_http() {
  static RealHttp& http = *new RealHttp;  // outlives what is taken down at exit
  return http;
}

}  // namespace trainmake
