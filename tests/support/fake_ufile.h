// A bucket of UCloud's object store in memory that holds every request to what the service asks of it: its
// signature, the digest and type of its body, names of keys, numbers and sizes of parts. Buckets are made by
// the API, which it holds to its own. What a client may not send is kept in `wrong`, and refused. Answers for
// a FakeHttp.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/host.h"
#include "engine/cloud/ucloud_signature.h"

namespace trainmake {

class FakeUfile {
 public:
  struct Fault {
    int status = 0;     // 0 is no answer at all
    bool done = false;  // what was asked for was done all the same
    int code = -1;
    std::string message = "internal error";
  };

  // Reached at `http://NAME.SUFFIX`, its API where UCloud's is.
  FakeUfile(std::string name, std::string suffix, UCloudKeys keys)
      : name_(std::move(name)), suffix_(std::move(suffix)), keys_(std::move(keys)) {}

  bool exists = true;
  bool is_taken = false;           // its name, by somebody else
  bool is_made_meanwhile = false;  // by another of this account, before who asks for it is heard
  std::size_t page = 1000;         // keys in an answer
  bool heeds_prefix = true;        // else its lists are of all there is
  std::uint64_t part_bytes = std::uint64_t{4} << 20U;
  std::function<std::optional<Fault>(const HttpRequest&)> fault;
  std::function<std::string(const HttpRequest&, std::string etag)> say_etag;  // in place of what is right
  std::map<std::string, std::string> objects;
  std::map<std::string, std::string> metadata;  // by key: what it was put with
  struct Upload {
    std::string key, metadata;
    std::map<int, std::string> parts;
  };
  std::map<std::string, Upload> uploads;  // by id
  std::size_t copied_parts = 0;
  std::map<std::string, std::string> made_with;  // of the bucket: the parameters of that call
  std::vector<std::string> wrong;

  Result<HttpResponse> answer(const HttpRequest& request);

 private:
  struct Asked;
  HttpResponse perform(const HttpRequest& request);
  HttpResponse of_api(const HttpRequest& request);
  HttpResponse of_bucket(const Asked& asked);
  HttpResponse of_object(const Asked& asked);
  HttpResponse of_upload(const Asked& asked);
  HttpResponse list(const Asked& asked);
  HttpResponse put(const Asked& asked);
  HttpResponse put_part(const Asked& asked);
  HttpResponse finish(const Asked& asked, Upload& upload);
  std::optional<std::string> copied(const Asked& asked, HttpResponse& refused);
  HttpResponse refuse(int status, int code, const std::string& message, const std::string& why = "");
  HttpResponse stored(const HttpRequest& request, const std::string& etag, std::string body = "") const;
  std::string wrong_with(const Asked& asked) const;

  std::string name_, suffix_;
  UCloudKeys keys_;
  int begun_ = 0;
};

}  // namespace trainmake
