// A bucket in memory that holds every request to what S3 asks of it: its signature, the digest of its body,
// names of keys, sizes of parts. What a client may not send is kept in `wrong`, and refused. Answers for a
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
#include "engine/cloud/aws_signature.h"

namespace trainmake {

class FakeBucket {
 public:
  struct Fault {
    int status = 0;     // 0 is no answer at all
    bool done = false;  // what was asked for was done all the same
    std::string code = "InternalError";
    std::vector<std::pair<std::string, std::string>> headers = {};
  };

  // Reached at `url`, the bucket's name in the path.
  FakeBucket(std::string url, std::string name, AwsKeys keys, std::string region)
      : url_(std::move(url)), name_(std::move(name)), keys_(std::move(keys)), region_(std::move(region)) {}

  bool exists = true;
  std::uint64_t least_part = std::uint64_t{5} << 20U;  // but for the last
  std::size_t page = 1000;                             // keys in an answer
  std::string server = "MinIO";                        // what it calls itself
  bool has_folders = false;                            // it keeps objects as files
  bool heeds_conditions = true;                        // of a put, and of a copy
  bool heeds_copy_conditions = true;                   // of a copy alone
  std::string encryption;                              // of what it copies, as it says
  std::string one_tag;                                 // that all objects have; else of their bytes
  std::int64_t age_s = 30;                             // every object was put so long ago
  bool heeds_prefix = true;                            // else its lists are of all there is
  std::function<std::optional<Fault>(const HttpRequest&)> fault;
  std::map<std::string, std::string> objects;
  std::map<std::string, std::string> metadata;                // by key: what it was put with
  std::map<std::string, std::map<int, std::string>> uploads;  // by id, which is the key and a number
  std::uint64_t copied_parts = 0;
  std::vector<std::string> wrong;

  Result<HttpResponse> answer(const HttpRequest& request);

 private:
  struct Asked;
  HttpResponse perform(const Asked& asked);
  HttpResponse of_bucket(const Asked& asked);
  HttpResponse of_object(const Asked& asked);
  HttpResponse list(const Asked& asked) const;
  HttpResponse complete(const Asked& asked);
  HttpResponse put(const Asked& asked);
  HttpResponse put_part(const Asked& asked);
  HttpResponse remove_many(const Asked& asked);
  std::optional<std::string> copied(const Asked& asked, HttpResponse& refused);
  HttpResponse refuse(int status, const std::string& code, const std::string& why = "");
  std::string unsigned_because(const HttpRequest& request) const;
  std::string etag_of(const std::string& key) const;

  std::string url_, name_;
  AwsKeys keys_;
  std::string region_;
  int begun_ = 0;
  std::map<std::string, std::string> begun_metadata_;  // by id of an upload
  struct OtherTag {
    std::string md5, etag;  // of the bytes that it is of, and what it is
  };
  std::map<std::string, OtherTag> other_tags_;  // by key: of what was put in parts, or is encrypted
};

}  // namespace trainmake
