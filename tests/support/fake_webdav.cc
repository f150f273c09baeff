#include "tests/support/fake_webdav.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "engine/base/encoding.h"
#include "engine/base/hash.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::string_view kLook = ".trainmake-look";

const std::string* header(const HttpRequest& request, std::string_view name) {
  for (const auto& [known, value] : request.headers) {
    if (known == name) return &value;
  }
  return nullptr;
}

std::string http_date(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm utc{};
  ::gmtime_r(&time, &utc);
  std::array<char, 64> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

std::string hex_number(std::uint64_t number) {
  std::array<char, 16> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), number, 16).ptr};
}

// The folder of a path, with a slash at its end; "" of the root.
std::string folder_above(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path.substr(0, path.rfind('/') + 1));
}

std::string encoded(std::string_view path) {
  std::vector<std::string> names = split(path, '/');
  for (std::string& name : names) name = percent_encoded(name);
  return join(names, "/");
}

bool is_encoded(std::string_view path) {
  return std::all_of(path.begin(), path.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~/%").find(c) != std::string_view::npos;
  });
}

std::string json_text(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

}  // namespace

HttpResponse FakeWebdav::refuse(int status, const std::string& why) {
  if (!why.empty()) wrong.push_back(why);
  return {status, {{"content-type", "text/html"}}, "<html>no</html>"};
}

std::set<std::string> FakeWebdav::paths() const {
  std::set<std::string> all;
  for (const auto& [path, object] : objects_) all.insert(path);
  return all;
}

std::string FakeWebdav::bytes(const std::string& path) const {
  const auto found = objects_.find(path);
  return found == objects_.end() ? "(nothing)" : found->second.bytes;
}

void FakeWebdav::put(const std::string& path, const std::string& bytes) {
  add_folders(path);
  objects_[path] = {bytes, now_s};
  now_s += put_takes_s;
}

void FakeWebdav::add_folders(const std::string& path) {
  for (std::string folder = folder_above(path); !folder.empty(); folder = folder_above(folder))
    folders_.insert(folder);
}

// As nginx makes them: of the time and the size.
std::string FakeWebdav::etag_of(const Object& object) const {
  if (!tag.empty()) return cat("\"", tag, "\"");
  return cat("\"", hex_number(static_cast<std::uint64_t>(object.put_s)), "-", hex_number(object.bytes.size()),
             heeds_conditions ? cat("-", digest_of(object.bytes).hex()) : "", "\"");
}

Result<HttpResponse> FakeWebdav::answer(const HttpRequest& request) {
  const std::optional<Fault> trouble = fault ? fault(request) : std::nullopt;
  const auto troubled = [&]() -> Result<HttpResponse> {
    if (trouble->status == 0) return fail(user_error("The connection was cut").because(Blame::kRemote));
    return HttpResponse{trouble->status, trouble->headers, "<html>trouble</html>"};
  };
  if (trouble && !trouble->done) return troubled();
  const std::string encoded_part = request.url.substr(std::min(origin_.size(), request.url.size()));
  if (!request.url.starts_with(origin_ + "/") || !is_encoded(encoded_part))
    return refuse(400, cat("no such address: ", request.url));
  const std::string* said = header(request, "Authorization");
  if (!login.empty() && (said == nullptr || *said != cat("Basic ", base64_of(login)))) return refuse(401);
  const std::string path = percent_decoded(encoded_part);
  const bool is_look = path.ends_with(cat("/", kLook));
  if (!shows_hidden && !is_look && path.find("/.") != path.npos)
    return refuse(403, cat("a hidden name: ", path));
  HttpResponse response = perform(request, path);
  response.headers.emplace_back("date", http_date(now_s));
  return trouble ? troubled() : Result<HttpResponse>(std::move(response));
}

HttpResponse FakeWebdav::perform(const HttpRequest& request, const std::string& path) {
  const std::string& method = request.method;
  const bool has_body = !request.body.empty();
  if (has_body && method != "PUT" && method != "PROPFIND") return refuse(415, cat("a body with ", method));
  if (method == "PUT") return put(request, path);
  if (method == "MKCOL") return make_folder(path);
  if (method == "DELETE") return remove(request, path);
  if (method == "PROPFIND") return propfind(request, path);
  if (method == "GET" || method == "HEAD") return get(request, path);
  return refuse(405, cat("no such method: ", method));
}

HttpResponse FakeWebdav::put(const HttpRequest& request, const std::string& path) {
  if (path.ends_with('/')) return refuse(409, "a folder is put");
  if (folders_.contains(path + "/") ||
      objects_.contains(folder_above(path).substr(0, folder_above(path).size() - 1)))
    return refuse(409);
  if (!makes_folders && !folders_.contains(folder_above(path))) return refuse(lacks_with_500 ? 500 : 409);
  const auto there = objects_.find(path);
  const std::string* none = header(request, "If-None-Match");
  const std::string* match = header(request, "If-Match");
  if (heeds_conditions && none != nullptr && there != objects_.end()) return refuse(412);
  if (heeds_conditions && match != nullptr && (there == objects_.end() || *match != etag_of(there->second)))
    return refuse(412);
  const int status = there == objects_.end() ? 201 : 204;
  put(path, request.body);
  HttpResponse response{status, {}, ""};
  if (heeds_conditions) response.headers.emplace_back("etag", etag_of(objects_[path]));
  return response;
}

HttpResponse FakeWebdav::make_folder(const std::string& path) {
  if (!path.ends_with('/')) return refuse(409, "a folder is made without a slash");
  if (folders_.contains(path) || objects_.contains(path.substr(0, path.size() - 1))) return refuse(405);
  if (!folders_.contains(folder_above(path))) return refuse(409);
  folders_.insert(path);
  return {201, {}, ""};
}

// A folder with all that lies in it, unless the depth says that none is meant.
HttpResponse FakeWebdav::remove(const HttpRequest& request, const std::string& path) {
  const std::string* depth = header(request, "Depth");
  if (folders_.contains(path) || folders_.contains(path + "/")) {
    if (depth == nullptr || *depth != "infinity") return refuse(400, cat("a folder is removed: ", path));
    if (!path.ends_with('/')) return refuse(409, "a folder is removed without a slash");
    std::erase_if(objects_, [&](const auto& each) { return each.first == cat(path, kLook); });
    if (!names_in(path).empty()) return refuse(500, cat("all of a folder is removed: ", path));
    folders_.erase(path);
    return {204, {}, ""};
  }
  return {objects_.erase(path) > 0 ? 204 : 404, {}, ""};
}

HttpResponse FakeWebdav::get(const HttpRequest& request, const std::string& path) {
  if (folders_.contains(path)) return has_index && request.method == "GET" ? index(path) : refuse(403);
  if (folders_.contains(path + "/")) return {301, {{"location", cat(origin_, encoded(path), "/")}}, ""};
  const auto found = objects_.find(path);
  if (found == objects_.end()) return refuse(404);
  const std::string* match = header(request, "If-Match");
  if (heeds_conditions && match != nullptr && *match != etag_of(found->second)) return refuse(412);
  return {200,
          {{"etag", etag_of(found->second)},
           {"content-length", cat(found->second.bytes.size())},
           {"last-modified", http_date(found->second.put_s)}},
          request.method == "HEAD" ? "" : found->second.bytes};
}

std::vector<std::string> FakeWebdav::names_in(const std::string& folder) const {
  std::vector<std::string> names;
  for (const auto& [path, object] : objects_) {
    const bool is_hidden = path[folder_above(path).size()] == '.' && !shows_hidden;
    if (folder_above(path) == folder && !is_hidden) names.push_back(path.substr(folder.size()));
  }
  for (const std::string& path : folders_) {
    if (path != "/" && folder_above(path) == folder) names.push_back(path.substr(folder.size()));
  }
  return names;
}

// A response of a multistatus, of a folder without `object`.
std::string FakeWebdav::described(const std::string& path, const Object* object) const {
  const std::string properties =
      object == nullptr
          ? "<D:resourcetype><D:collection/></D:resourcetype>"
          : cat("<D:resourcetype/><D:getcontentlength>", object->bytes.size(),
                "</D:getcontentlength><D:getlastmodified>", http_date(object->put_s), "</D:getlastmodified>",
                heeds_conditions ? cat("<D:getetag>", etag_of(*object), "</D:getetag>") : "");
  return cat(
      "<D:response><D:href>", names_whole_urls ? origin_ : "", encoded(path), "</D:href>",
      "<D:propstat><D:prop><D:getetag/></D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>",
      "<D:propstat><D:prop>", properties,
      "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>");
}

HttpResponse FakeWebdav::propfind(const HttpRequest& request, const std::string& path) {
  if (!knows_propfind) return refuse(405);
  const std::string* depth = header(request, "Depth");
  if (depth == nullptr || *depth != "1") return refuse(403, "a list of all there is");
  if (request.body.find("<propfind xmlns=\"DAV:\">") == std::string::npos) return refuse(400, "no question");
  if (!folders_.contains(path)) return refuse(404);
  std::string all = described(path, nullptr);
  for (const std::string& name : names_in(path)) {
    const auto object = objects_.find(path + name);
    all += described(path + name, object == objects_.end() ? nullptr : &object->second);
  }
  return {207, {}, cat("<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\">", all, "</D:multistatus>")};
}

HttpResponse FakeWebdav::index(const std::string& folder) const {
  std::vector<std::string> entries;
  for (const std::string& name : names_in(folder)) {
    const auto object = objects_.find(folder + name);
    if (object == objects_.end())
      entries.push_back(cat("{ \"name\":\"", json_text(name.substr(0, name.size() - 1)),
                            "\", \"type\":\"directory\", \"mtime\":\"", http_date(now_s), "\" }"));
    else
      entries.push_back(cat("{ \"name\":\"", json_text(name), "\", \"type\":\"file\", \"mtime\":\"",
                            http_date(object->second.put_s), "\", \"size\":", object->second.bytes.size(),
                            " }"));
  }
  return {200, {{"content-type", "application/json"}}, cat("[\n", join(entries, ",\n"), "\n]")};
}

}  // namespace trainmake
