// What we know of a place in a store without asking: its manifest object as it was last seen, with its tag,
// and what was done since, so that an unchanged target costs no request and a transfer that was cut goes on
// where it was. One file and a log beside it in `mirrors/` of the cache folder. The log also says how little
// the manifest object differs from the file by now: of a hundred thousand objects one is another. Losing
// either costs a look at the store. Thread rule: what is noted comes from any thread; the rest is called by
// one.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/host.h"
#include "rules/data/mirror.h"

namespace trainmake {

inline constexpr std::string_view kMirrorsFolder = "mirrors";

class Ledger {
 public:
  // `place` names the place in all the world: its service, bucket and prefix.
  Ledger(FileSystem& files, const std::string& cache_folder, const std::string& place);

  // Reads what is there. What is damaged is as good as lost.
  Result<void> load();
  bool is_known() const { return known_; }
  const std::string& path() const { return path_; }
  // The file and its log, with what they were when they were read.
  std::vector<std::pair<std::string, Stat>> seen() const {
    return {{path_, file_seen_}, {log_path_, log_seen_}};
  }
  // What lies there as far as we know, with all that was done since the manifest object was written.
  const Mirror& mirror() const { return mirror_; }
  const std::string& tag() const { return tag_; }
  // The manifest object does not say yet that what was sent is there; whoever else reads it would have to
  // ask.
  bool owes_settling() const { return untold_ > 1; }
  bool wrote(const std::string& writer) const { return writers_.contains(writer); }
  // Something was sent there from here, now or earlier.
  bool has_written() const;

  // mirror(), for whoever saves another; until then nothing is known.
  Mirror take() {
    known_ = false;
    return std::exchange(mirror_, {});
  }
  // Before the manifest object is put by `writer`: should we be cut, it is known to be ours.
  Result<void> begin(const std::string& writer);
  // The manifest object is `mirror`, with that tag. What was done before counts no more, but for notes.
  Result<void> save(Mirror mirror, std::string tag);
  // The same of what was announced for the mirror that was taken.
  Result<void> announced(Announcement said, std::string tag);
  // The manifest object says by now what mirror() says, and has that tag.
  Result<void> told(std::string tag);
  // Nothing is known but for notes.
  Result<void> forget();
  // As save, but for this process alone.
  void adopt(Mirror mirror, std::string tag);
  // Nobody knows any more what lies under these keys. For this process alone, unless it is saved.
  void doubt(const std::set<std::string>& keys);

  // An object was begun, put, or removed.
  Result<void> begun(const std::string& key);
  Result<void> put(MirrorObject object);
  Result<void> removed(const std::string& key);
  // Of a large file's upload, for whoever takes it up.
  Result<void> note(const std::string& key, const std::string& note);
  std::vector<std::string> notes(const std::string& key) const;
  // It was begun, and nobody knows whether it was put.
  bool is_open(const std::string& key) const;

  // Makes mirror() what was done; after the threads that noted it have ended.
  void settle();

 private:
  // kFile: begins the log of the file with that digest. kMoved: the manifest object is by now another than
  // the file has, and differs from that so. kOf: what follows was done since the manifest object with that
  // tag was written.
  enum class Word : std::uint8_t { kOf = 1, kWriter, kBegun, kPut, kRemoved, kNote, kFile, kMoved };
  // By key; nothing where there is no object of the file any more.
  using Moved = std::map<std::string, std::optional<MirrorObject>>;
  Result<void> append(const std::string& entry);
  Result<void> replay();
  bool follow(std::string tag, Decoder& in);
  Result<void> keep();
  Result<void> rewrite_log(bool is_as_file);
  std::string moved_entry() const;
  Result<void> write();
  void count_untold();
  void move(const std::vector<std::string>& gone);
  bool is_little(std::size_t count) const { return count <= mirror_.objects.size() / 16; }

  FileSystem& files_;
  std::string path_, log_path_;
  Stat file_seen_, log_seen_;
  bool known_ = false;
  Mirror mirror_;
  std::string tag_;
  // What others would have to ask for: keys that the manifest object says are being sent, and chunks. One is
  // cheaper asked for than told of.
  std::size_t untold_ = 0;
  // How the objects of mirror_ differ from those in the file, and the digest of that. Nothing when there is
  // no such file, or too much differs: then it is written anew.
  std::optional<Moved> moved_;
  Digest128 file_;
  mutable std::mutex mutex_;  // guards what follows
  std::unique_ptr<FileWriter> log_;
  std::set<std::string> writers_;
  std::set<std::string> open_;
  std::map<std::string, std::vector<std::string>> notes_;
  std::vector<MirrorObject> put_;  // a later one of a key counts
  std::set<std::string> removed_;
};

}  // namespace trainmake
