// One large file as one object of UCloud's object store: in parts of the size that the service says, several
// on their way at once, and visible when all of them are there. Parts that an earlier object has are copied
// by the service. What is done is noted, so that an upload that was cut goes on where it was. Thread rule:
// used by one thread; notes come from several.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/stores/store.h"
#include "cache/stores/ufile/ufile_client.h"
#include "cache/stores/ufile/ufile_etag.h"
#include "engine/base/host.h"

namespace trainmake {

// What is known of a file before it is sent, which costs reading it once more: that it is what is to be put,
// and what the service has to say of it.
struct KnownFile {
  std::uint64_t size = 0;
  std::vector<Digest128> chunks;
  std::vector<std::string> blocks;  // their SHA-1
  std::string md5;                  // in hex
  std::string etag;
};
// Refused when it is not `file.content` any more.
Result<KnownFile> know_file(FileSystem& files, const FileToPut& file, std::uint64_t size,
                            const std::stop_token& stop);

// Of an object that is not what was sent, as the service `said`. What lies `there` is removed when it is
// that, and was put by us; an answer that says nothing is no reason to.
Error refuse_object(UfileClient& client, const std::string& key, const Digest128& content,
                    std::string_view said, std::string_view expected,
                    const std::optional<StoredObject>& there);

class UfileUpload {
 public:
  // Borrows all of them.
  UfileUpload(FileSystem& files, UfileClient& client, const FileToPut& file, const KnownFile& known);
  Result<PutFile> run(const std::stop_token& stop);
  // Ends what the notes say is under way.
  static void give_up(UfileClient& client, const std::string& key, const std::vector<std::string>& notes);

 private:
  void take_up();
  Result<void> begin(const std::stop_token& stop);
  Result<void> send_parts(const std::stop_token& stop);
  Result<void> bring_part(std::size_t number, const std::stop_token& stop);
  Result<bool> copy_part(std::size_t number, const std::stop_token& stop);
  Result<void> send_part(std::size_t number, const std::stop_token& stop);
  Result<std::string> complete(const std::stop_token& stop);
  void finish_part(std::size_t number, std::string tag);
  void abandon();
  FileRange range(std::size_t number) const;
  bool is_like(std::size_t number) const;
  bool is_blocks() const { return part_bytes_ == kUfileBlock; }
  std::string doing() const;

  FileSystem& files_;
  UfileClient& client_;
  const FileToPut& file_;
  const KnownFile& known_;
  std::string id_;
  std::uint64_t part_bytes_ = kUfileBlock;
  bool is_resumed_ = false;
  std::atomic<bool> is_gone_ = false;  // what was taken up; another attempt would come right
  std::atomic<std::uint64_t> sent_ = 0;
  std::mutex mutex_;               // guards what follows
  std::vector<std::string> tags_;  // of finished parts
};

}  // namespace trainmake
