#include "rules/data/fetch.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "cache/file_digests.h"
#include "cache/stores/reading.h"
#include "cache/stores/sender.h"
#include "engine/base/text.h"
#include "engine/base/url.h"

namespace trainmake {
namespace {

constexpr int kMostRedirects = 10;
constexpr unsigned kAnyNumber = std::numeric_limits<unsigned>::max();
constexpr std::string_view kFolder = "fetched";

const std::string* text_of(const Table& table, std::string_view name) {
  const Value* value = table.find(name);
  return value == nullptr ? nullptr : value->string();
}

bool is_address(std::string_view url) { return url.starts_with("https://") || url.starts_with("http://"); }

// What it is called where it comes from.
std::string last_name(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  return std::string(path_name(url));
}

std::vector<const Table*> tables_of(const Value& fetch) {
  std::vector<const Table*> tables;
  const Table* all = fetch.table();
  if (all == nullptr) return tables;
  if (!all->fields.empty()) tables.push_back(all);
  for (const Value& each : all->items) tables.push_back(each.table());
  return tables;
}

std::optional<Error> wrong_in(const Table* table) {
  const std::string hint =
      "Write it as `fetch = { url = \"https://example.com/set.npz\", sha256 = \"...\" }`, or a list of such";
  if (table == nullptr) return user_error("`fetch` has something that is no table", hint);
  for (const auto& [name, value] : table->fields) {
    if (name != "url" && name != "sha256" && name != "name")
      return user_error(cat("`fetch` knows no ", quoted(name)), hint);
    if (value.string() == nullptr) return user_error(cat("`fetch`: ", quoted(name), " is no string"), hint);
  }
  const std::string* url = text_of(*table, "url");
  if (url == nullptr || !is_address(*url)) return user_error("`fetch` has no `url` of http or https", hint);
  if (holds_login(*url))
    return user_error("`fetch` has a `url` that holds a login", "Take it out: what is fetched is public");
  const std::string* digest = text_of(*table, "sha256");
  if (digest == nullptr || !Sha256::parse(*digest))
    return user_error(cat("`fetch` of ", quoted(without_query(*url)), " has no `sha256`"),
                      "64 hex digits: `sha256sum` says them of a file that you trust");
  const std::string* name = text_of(*table, "name");
  const std::string key = name != nullptr ? *name : last_name(*url);
  if (key.empty() || key.starts_with('/') || path_clean(key) != key)
    return user_error(cat("`fetch` of ", quoted(without_query(*url)), " has no plain name: ", quoted(key)),
                      "Say one: `name = \"set.npz\"`");
  return std::nullopt;
}

// A file on its way, over as many requests as it takes: each goes on where the one before was cut, in this
// trainmake or an earlier one.
class Download {
 public:
  Download(Arriving& file, std::function<void(std::uint64_t done)> came)
      : file_(file), came_(std::move(came)) {}

  // What came earlier, of which its digest alone tells whether the rest belongs to it.
  Result<void> take_up(const std::stop_token& stop) {
    is_guess_ = file_.size() > 0;
    std::uint64_t done = 0;
    return file_.read(file_.size(), stop, [&](std::string_view bytes) -> Result<void> {
      digest_.raw(bytes);
      came_(done += bytes.size());
      return {};
    });
  }

  void ask(HttpRequest& request) {
    if (given() > 0) request.headers.emplace_back("Range", cat("bytes=", given(), "-"));
    if (given() > 0 && !etag_.empty()) request.headers.emplace_back("If-Range", etag_);
    request.body_to = [this, has_begun = false](const HttpResponse& head,
                                                std::string_view bytes) mutable -> Result<void> {
      if (!has_begun) TRY(begin(head));
      has_begun = true;
      return take(bytes);
    };
  }

  std::uint64_t given() const { return file_.size(); }

  // After a good answer, or one that there is no more: whether all of it is here. A part that is shorter than
  // what was asked for is no end, and what is longer than it should be is begun anew.
  Result<bool> has_ended(const HttpResponse& response) {
    if (response.status == kNothingMore) {
      const bool says = !header_value(response, "content-range").empty();
      size_ = says ? size_of_object(response) : size_;
    }
    if (!size_ || *size_ == given()) return true;
    if (given() > *size_) TRY(forget());
    return false;
  }
  Result<Fetcher::Fetched> finish() {
    TRY(file_.append(""));  // one of no bytes is a file, too
    return Fetcher::Fetched{digest_.finish(), is_guess_};
  }

 private:
  Result<void> begin(const HttpResponse& head) {
    const bool is_part = head.status == kPart;
    const std::optional<std::uint64_t> size = size_of_object(head);
    const bool is_as_before = !size || !size_ || *size == *size_;
    const bool goes_on = is_part && begin_of_range(head) == given() && is_as_before;
    if (is_part && !goes_on) {
      if (!is_as_before) TRY(forget());
      return fail(user_error("It answers another part than was asked for").because(Blame::kRemote));
    }
    if (!goes_on && given() > 0) TRY(forget());
    is_guess_ = is_guess_ || (goes_on && given() > 0 && etag_.empty());
    const std::string etag = header_value(head, "etag");
    etag_ = etag.starts_with('"') ? etag : "";  // a weak one is not of the bytes
    size_ = size;
    return {};
  }
  Result<void> forget() {
    digest_ = Sha256Hasher();
    is_guess_ = false;
    etag_.clear();
    size_.reset();
    return file_.forget();
  }
  Result<void> take(std::string_view bytes) {
    TRY(file_.append(bytes));
    digest_.raw(bytes);
    came_(given());
    return {};
  }

  Arriving& file_;
  std::function<void(std::uint64_t)> came_;
  Sha256Hasher digest_;
  std::string etag_;                   // of what came last
  std::optional<std::uint64_t> size_;  // of all of it, as that said
  bool is_guess_ = false;
};

// With a digest of it: disks rot.
std::string facts_text(const Sha256& sha256, std::uint64_t size, const Digest128& content) {
  const std::string facts = cat(size, " ", content.hex());
  return cat(facts, " ", digest_of(cat(sha256.hex(), " ", facts)).hex());
}

bool is_redirect(const HttpResponse& response) {
  return response.status >= 300 && response.status < 400 && !response.redirect.empty();
}

Error refused(const FetchedFile& file, int status) {
  return user_error(cat("Cannot fetch ", quoted(without_query(file.url)), ": it answers ", status),
                    "Is it public, and still there?")
      .at(file.where)
      .because(Blame::kRemote);
}

Error ends_short(const FetchedFile& file, std::uint64_t given) {
  return user_error(cat(quoted(without_query(file.url)), " ends after ", human_bytes(given),
                        ", and its server says that there is more"),
                    "Run it again: it goes on from there")
      .at(file.where)
      .because(Blame::kRemote);
}

// Of an address that held for some time alone.
bool may_be_over(int status) {
  return status == 400 || status == 401 || status == 403 || status == 404 || status == 410;
}

}  // namespace

std::vector<Error> wrong_fetch(const Value& fetch) {
  std::vector<Error> errors;
  for (const Table* table : tables_of(fetch)) {
    if (std::optional<Error> error = wrong_in(table)) errors.push_back(*std::move(error));
  }
  return errors;
}

std::vector<FetchedFile> fetches_of(const Target& target) {
  std::vector<FetchedFile> files;
  const Value* fetch = target.find("fetch");
  if (fetch == nullptr) return files;
  for (const Table* table : tables_of(*fetch)) {
    const std::string* name = text_of(*table, "name");
    const std::string& url = *text_of(*table, "url");
    files.push_back({url, *Sha256::parse(*text_of(*table, "sha256")),
                     name != nullptr ? *name : last_name(url), target.place_of("fetch")});
  }
  return files;
}

std::string Fetcher::facts_path(const Sha256& digest) const {
  return path_join(path_join(workspace_.cache, kFolder), digest.hex());
}

// Its size and our digest of it are kept beside it: neither can be told from its SHA-256.
Result<std::optional<ListedFile>> Fetcher::known(const FetchedFile& file) {
  TRY_ASSIGN(const bool is_there, blobs_.has(file.sha256));
  if (!is_there) return std::optional<ListedFile>();
  TRY_ASSIGN(const std::optional<std::string> facts,
             read_file_if_there(host_.files, facts_path(file.sha256)));
  const std::vector<std::string> words = split(facts.value_or(""), ' ');
  if (words.size() != 3) return std::optional<ListedFile>();
  const auto size = whole_number<std::uint64_t>(words[0]);
  const std::optional<Digest128> content = Digest128::parse(words[1]);
  if (!size || !content || *facts != facts_text(file.sha256, *size, *content))
    return std::optional<ListedFile>();
  return std::optional(ListedFile{file.name, "", "", *size, 0644, *content, file.sha256});
}

// What was kept is as good as got, whatever is known of it.
Result<std::optional<ListedFile>> Fetcher::read_blob(const FetchedFile& file, const std::stop_token& stop) {
  TRY_ASSIGN(const bool is_there, blobs_.has(file.sha256));
  if (!is_there) return std::optional<ListedFile>();
  ContentHasher content;
  Sha256Hasher sha256;
  std::uint64_t size = 0;
  TRY(read_pieces(host_.files, blobs_.path(file.sha256), stop, [&](std::string_view bytes) -> Result<void> {
    content.add(bytes);
    sha256.raw(bytes);
    size += bytes.size();
    return {};
  }));
  if (sha256.finish() != file.sha256) {
    TRY(blobs_.remove(file.sha256));
    return std::optional<ListedFile>();
  }
  const Digest128 is = content.finish();
  TRY(write_file(host_.files, facts_path(file.sha256), facts_text(file.sha256, size, is)));
  return std::optional(ListedFile{file.name, "", "", size, 0644, is, file.sha256});
}

Result<ListedFile> Fetcher::get(const FetchedFile& file, const Label& label, const Doing& doing,
                                Host& through) {
  const std::string folder = path_join(workspace_.cache, kFolder);
  TRY_ASSIGN(Arriving part,
             Arriving::take_up(
                 host_, arriving_, path_join(folder, cat(kArrivingPart, file.sha256.hex())), doing.stop, [&] {
                   doing.events(Message{
                       label, cat("another trainmake fetches ", quoted(file.name), ": waiting for it")});
                 }));
  TRY_ASSIGN(const std::optional<ListedFile> there, known(file));
  if (there) return *there;
  TRY_ASSIGN(const std::optional<ListedFile> kept, read_blob(file, doing.stop));
  if (kept) return *kept;
  forget_old_arrivals(host_, folder);
  TRY(download_all(file, part, label, doing, through));
  TRY_ASSIGN(const Blobs::Stored stored, part.become_blob(blobs_, doing.stop));
  if (stored.sha256 != file.sha256)
    return fail(step_error(cat("What came of ", quoted(file.name), " is another on the disk than it was"),
                           "Run it again; is the disk sound?")
                    .at(file.where));
  TRY(write_file(host_.files, facts_path(file.sha256), facts_text(file.sha256, stored.size, stored.content)));
  return ListedFile{file.name, "", "", stored.size, 0644, stored.content, file.sha256};
}

// What was joined of parts that nothing tells to be of one file may be none: it is begun anew, until it is
// the same twice.
Result<void> Fetcher::download_all(const FetchedFile& file, Arriving& part, const Label& label,
                                   const Doing& doing, Host& through) {
  constexpr int kMostTimes = 3;
  constexpr std::chrono::milliseconds kPause{500};
  std::optional<Sha256> before;
  for (int times = 1;; ++times) {
    TRY_ASSIGN(const Fetched got, download(file, part, label, doing, through));
    if (got.sha256 == file.sha256) return {};
    TRY(part.forget());
    if (!got.is_guess || got.sha256 == before || times == kMostTimes)
      return fail(user_error(cat(quoted(without_query(file.url)), " is not what `sha256` says: it has ",
                                 got.sha256.hex()),
                             "Nothing of it was kept; when you trust it, write that digest")
                      .at(file.where)
                      .because(Blame::kRemote));
    before = got.sha256;
    doing.events(Message{label, cat(quoted(without_query(file.url)),
                                    " came in parts, which together are not what `sha256` says: "
                                    "fetching it anew")});
    if (host_.clock.wait(kPause * times, doing.stop)) return fail(interrupted_error());
  }
}

// As long as more of it comes, it is asked for again; at its own address, where the one that this led to
// holds no longer.
Result<Fetcher::Fetched> Fetcher::download(const FetchedFile& file, Arriving& to, const Label& label,
                                           const Doing& doing, Host& through) {
  constexpr int kMostInVain = 3;  // answers that look good and bring nothing
  Download download(to, [&](std::uint64_t done) {
    doing.events(Progress{label, "fetching", done, 0, true});
  });
  TRY(download.take_up(doing.stop));
  std::string url = file.url;
  Sender sender(through, {kAnyNumber, 0});
  const auto heeding = sender.heed(doing.stop, [&](const std::string& text) {
    doing.events(Message{label, cat(quoted(without_query(file.url)), ": ", text)});
  });
  std::uint64_t furthest = download.given();
  int hops = 0, in_vain = 0;
  const auto may_go_on = [&] {
    in_vain = download.given() > furthest ? 0 : in_vain + 1;
    furthest = std::max(furthest, download.given());
    return in_vain < kMostInVain;
  };
  while (true) {
    const auto make = [&]() -> Result<HttpRequest> {
      HttpRequest request;
      request.url = url;
      download.ask(request);
      ++doing.tally.requests[static_cast<std::size_t>(Method::kGet)];
      return request;
    };
    const Result<HttpResponse> response = sender.send(make, {}, doing.stop, {kNothingMore});
    if (!response) {
      const bool was_cut = response.error().blame == Blame::kRemote && !response.error().lasts;
      const bool has_come = download.given() > furthest;
      if (was_cut && has_come && may_go_on()) continue;
      return fail(Error(response.error()).at(file.where));
    }
    const bool is_good = response->status == 200 || response->status == kPart;
    if (is_good || (response->status == kNothingMore && download.given() > 0)) {
      TRY_ASSIGN(const bool is_all, download.has_ended(*response));
      if (is_all) return download.finish();
      if (may_go_on()) continue;
      return fail(ends_short(file, download.given()));
    }
    if (is_redirect(*response) && ++hops <= kMostRedirects) {
      url = response->redirect;
      continue;
    }
    if (url != file.url && may_be_over(response->status) && may_go_on()) {
      url = file.url;
      hops = 0;
      continue;
    }
    return fail(refused(file, response->status));
  }
}

}  // namespace trainmake
