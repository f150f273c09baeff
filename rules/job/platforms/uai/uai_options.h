// What TRAINSPACE.lua says of a platform of type `uai`, and what that means for where data and images go
// unless it says otherwise. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/model/project.h"

namespace trainmake {

struct UaiOptions {
  std::string name;  // of the platform
  std::string region = "cn-bj2", zone = "cn-bj2-04";
  std::string project;   // "" is the account's own
  std::string profile;   // of ~/.ucloud; "" is the usual one
  std::string endpoint;  // of the API; "" is the account's own
  std::string business_group = "default";
  std::string uhub_host;  // where its nodes get images
  // A UFS, as `10.9.1.2:/ufs-abc123`, and the folder that it is here; both or none.
  std::string ufs, ufs_folder;
};

Result<UaiOptions> uai_options_of(const Service& platform, const std::string& root);

// Where its nodes get images.
std::string_view uhub_host_of(const Service& platform);

// Whether it is a host below ucloud.cn, or this machine, and nothing that could be read as another.
bool is_of_ucloud(std::string_view url);

// A folder outside that a job reads or writes, as it is told of it: of a bucket of UFile, or of a UFS.
struct UaiFolder {
  std::string top;     // `http://my-data.cn-bj.ufileos.com/`, `10.9.1.2:/ufs-abc123/`
  std::string prefix;  // "" or without slashes at its ends
  bool is_ufs = false;

  // `http://my-data.cn-bj.ufileos.com/prefix/path/`
  std::string url(std::string_view path) const;
  // What is ours there. A path on a UFS begins with a letter.
  std::string ours(std::string_view path) const;
};
// Nothing when the store is no bucket of UFile.
std::optional<UaiFolder> uai_bucket_of(const Service& store);
// What a folder of this machine is on the UFS; nothing when it is not there.
std::optional<UaiFolder> uai_ufs_of(const UaiOptions& options, const std::string& folder);
// What the service refuses as a path of data, as a job's description says; "" when nothing.
std::string wrong_data_url(std::string_view url);

// The stores that results of its jobs go to: its own bucket, else the default store when that is one; and its
// UFS. One of them, or both.
struct UaiStores {
  std::optional<Service> bucket, ufs;
};
Result<UaiStores> uai_stores_of(const Service& platform, const UaiOptions& options, const Space& space);

// Where data and images go while this platform is chosen: to its bucket and its UHub, unless the defaults are
// such already. What is declared of that bucket or host holds; else one is added under the platform's name.
void take_uai_defaults(const std::string& platform, Space& space);

}  // namespace trainmake
