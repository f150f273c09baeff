// A web server in memory that takes files, as nginx does or as WebDAV has it, and holds every request to what
// such a server asks of it. What a client may not send is kept in `wrong`, and refused. Answers for a
// FakeHttp.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/host.h"

namespace trainmake {

class FakeWebdav {
 public:
  struct Fault {
    int status = 0;     // 0 is no answer at all
    bool done = false;  // what was asked for was done all the same
    std::vector<std::pair<std::string, std::string>> headers = {};
  };

  explicit FakeWebdav(std::string origin) : origin_(std::move(origin)) {}  // `https://dav.test`

  bool makes_folders = true;     // above what is put, as nginx's create_full_put_path
  bool lacks_with_500 = false;   // where it does not, it says so as nginx does
  bool heeds_conditions = true;  // and names the ETag of what was put, and of what it lists
  bool knows_propfind = true;
  bool has_index = false;         // nginx's autoindex, as JSON
  bool names_whole_urls = false;  // in its lists
  bool shows_hidden = false;  // names that begin with a dot are like others; else nobody but a look has one
  std::string tag;            // that all objects have
  std::string login;          // `user:password` that everybody has to say
  std::function<std::optional<Fault>(const HttpRequest&)> fault;
  std::vector<std::string> wrong;

  Result<HttpResponse> answer(const HttpRequest& request);

  std::set<std::string> paths() const;  // of all objects
  std::string bytes(const std::string& path) const;
  void put(const std::string& path, const std::string& bytes);
  bool has_folder(const std::string& path) const { return folders_.contains(path); }
  std::int64_t now_s = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT
  std::int64_t put_takes_s = 1;

 private:
  struct Object {
    std::string bytes;
    std::int64_t put_s = 0;
  };
  HttpResponse perform(const HttpRequest& request, const std::string& path);
  HttpResponse put(const HttpRequest& request, const std::string& path);
  HttpResponse make_folder(const std::string& path);
  HttpResponse remove(const HttpRequest& request, const std::string& path);
  HttpResponse get(const HttpRequest& request, const std::string& path);
  HttpResponse propfind(const HttpRequest& request, const std::string& path);
  HttpResponse index(const std::string& folder) const;
  HttpResponse refuse(int status, const std::string& why = "");
  std::string etag_of(const Object& object) const;
  std::string described(const std::string& path, const Object* object) const;
  std::vector<std::string> names_in(const std::string& folder) const;
  void add_folders(const std::string& path);

  std::string origin_;
  std::map<std::string, Object> objects_;
  std::set<std::string> folders_ = {"/"};  // each with a slash at its end
};

}  // namespace trainmake
