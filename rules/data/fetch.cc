#include "rules/data/fetch.h"

#include <algorithm>
#include <random>

#include "cache/stores/sender.h"
#include "engine/base/temporary_folder.h"
#include "engine/base/text.h"
#include "engine/base/url.h"

namespace trainmake {
namespace {

constexpr int kMostRedirects = 10;
constexpr int kMostTries = 5;
constexpr std::chrono::milliseconds kFirstPause{500};
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

// Where an answer that says "elsewhere" points to.
std::string redirected(std::string_view from, const std::string& to) {
  if (is_address(to)) return to;
  const std::size_t host = from.find("://") + 3;
  const std::size_t path = std::min(from.find('/', host), from.size());
  if (to.starts_with("//")) return cat(from.substr(0, host - 2), to);
  if (to.starts_with('/')) return cat(from.substr(0, path), to);
  return cat(from.substr(0, from.rfind('/') + 1), to);
}

bool may_come_right(int status) { return status == 408 || status == 429 || status >= 500; }

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
  if (words.size() != 2) return std::optional<ListedFile>();
  const auto size = whole_number<std::uint64_t>(words[0]);
  const std::optional<Digest128> content = Digest128::parse(words[1]);
  if (!size || !content) return std::optional<ListedFile>();
  return std::optional(ListedFile{file.name, "", "", *size, 0644, *content, file.sha256});
}

Result<ListedFile> Fetcher::get(const FetchedFile& file, const Label& label, const Doing& doing) {
  TRY_ASSIGN(const std::optional<ListedFile> there, known(file));
  if (there) return *there;
  std::random_device random;
  const TemporaryFolder aside(host_.files,
                              path_join(workspace_.cache, cat(kFolder, "/.part-", random(), "-", random())));
  const std::string part = aside.path("file");
  TRY_ASSIGN(const Sha256 got, download(file, part, label, doing));
  if (got != file.sha256) {
    return fail(
        user_error(cat(quoted(without_query(file.url)), " is not what `sha256` says: it has ", got.hex()),
                   "Nothing of it was kept; when you trust it, write that digest")
            .at(file.where)
            .because(Blame::kRemote));
  }
  TRY_ASSIGN(const Blobs::Stored stored, blobs_.put_file(part, doing.stop));
  TRY(write_file(host_.files, facts_path(file.sha256), cat(stored.size, " ", stored.content.hex())));
  return ListedFile{file.name, "", "", stored.size, 0644, stored.content, file.sha256};
}

Result<Sha256> Fetcher::download(const FetchedFile& file, const std::string& to, const Label& label,
                                 const Doing& doing) {
  for (int attempt = 1;; ++attempt) {
    Sha256Hasher digest;
    const Result<HttpResponse> response = follow(file.url, to, digest, label, doing);
    if (response && response->status == 200) return digest.finish();
    const bool may_help = response ? may_come_right(response->status)
                                   : response.error().blame == Blame::kRemote && !response.error().lasts;
    if (!may_help || attempt == kMostTries) {
      if (!response) return fail(Error(response.error()).at(file.where));
      return fail(
          user_error(cat("Cannot fetch ", quoted(without_query(file.url)), ": it answers ", response->status),
                     "Is it public, and still there?")
              .at(file.where)
              .because(Blame::kRemote));
    }
    if (host_.clock.wait(kFirstPause * (1 << attempt), doing.stop)) return fail(interrupted_error());
  }
}

Result<HttpResponse> Fetcher::follow(std::string url, const std::string& to, Sha256Hasher& digest,
                                     const Label& label, const Doing& doing) {
  for (int hop = 0;; ++hop) {
    TRY_ASSIGN(const std::unique_ptr<FileWriter> writer, host_.files.create(to, {.large = true}));
    std::uint64_t done = 0;
    HttpRequest request;
    request.url = url;
    request.body_to = [&](int, std::string_view bytes) -> Result<void> {
      done += bytes.size();
      digest.raw(bytes);
      doing.events(Progress{label, "fetching", done, 0, true});
      return writer->append(bytes);
    };
    ++doing.tally.requests[static_cast<std::size_t>(Method::kGet)];
    TRY_ASSIGN(HttpResponse response, host_.http.send(request, doing.stop));
    const std::string elsewhere = header_value(response, "location");
    if (response.status >= 300 && response.status < 400 && !elsewhere.empty() && hop < kMostRedirects) {
      url = redirected(url, elsewhere);
      continue;
    }
    if (response.status == 200) TRY(writer->commit());
    return response;
  }
}

}  // namespace trainmake
