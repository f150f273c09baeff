// What we know of a place in a store without asking: its manifest object as it was last seen, with its tag,
// and what was done since, so that an unchanged target costs no request and a transfer that was cut goes on
// where it was. One file and a log beside it in `mirrors/` of the cache folder. The log also says how little
// the manifest object differs from the file by now: of a hundred thousand objects one is another. Losing
// either costs a look at the store. Thread rule: what is noted of objects comes from any thread. The rest is
// called by one thread at a time: by the one that plans and ends the transfer while nothing moves, and while
// it goes on by whoever holds Holding's `telling_`.
//
// Who sends goes through it in this order: take(), begin() before the manifest object is put, and announced()
// or refused() after; then begun() and put(), or removed(), of each object; settle() and told() whenever the
// manifest object says as much; forget() when it proves to be somebody else's.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/host.h"
#include "rules/data/mirror.h"

namespace trainmake {

inline constexpr std::string_view kMirrorsFolder = "mirrors";
// A ledger's file begins with this, a digest, a tag, and the place.
inline constexpr std::string_view kLedgerMagic = "tm-mirror-4\n";

// When a transfer of ours was at work, by the steady clock of that boot (`boot_of`).
struct Beat {
  std::string boot;
  std::int64_t steady_ns = 0;
  bool is_last = false;  // it sends nothing any more
};

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
  // Of too many keys the manifest object does not say yet that what was sent is there: whoever else reads it
  // has to ask, which of one alone is cheap, where the store can tell.
  bool owes_settling(std::uint64_t tells_content_to) const {
    return untold_ > 1 || (untold_ > 0 && largest_untold_ > tells_content_to);
  }
  std::optional<Beat> last_beat() const;
  // What our last transfer sent has arrived by now, or never will.
  bool is_quiet() const { return is_quiet_; }
  void is_over();
  // Of our last transfer: the manifest object was on its way, without a condition, and nobody heard whether
  // it arrived.
  bool was_telling() const;
  // Of a transfer that came to no end: what it asked for once more may be put or removed a second time.
  std::set<std::string> asked_again() const;
  // Something was put or removed since it was settled.
  bool has_news() const;
  // By that transfer, from this very cache folder: of a copy of it, restored elsewhere, two may be at work at
  // once.
  bool wrote(const std::string& writer) const;
  // Something was sent there from here, or from where this cache comes from.
  bool has_written() const;

  // mirror(), for whoever announces another; until then nothing is known.
  Mirror take() {
    known_ = false;
    return std::exchange(mirror_, {});
  }
  // Before the manifest object is put by `writer`: should we be cut, it is known to be ours.
  Result<void> begin(const std::string& writer);
  // The manifest object is `mirror`, with that tag, and nobody else is at work on what that leaves unsettled.
  // What was done before counts no more, but for notes, and for tags that it does not name.
  Result<void> save(Mirror mirror, std::string tag);
  // The same of what was announced for the mirror that was taken.
  Result<void> announced(Announcement said, std::string tag);
  // The manifest object is put without a condition: announced(), refused() or told() follows, or nobody
  // heard.
  Result<void> telling();
  // It was not put, since the manifest object is another by now, which is to be read; nothing was sent.
  Result<void> refused(Announcement said);
  // The manifest object says by now what mirror() says, and has that tag.
  Result<void> told(std::string tag);
  // The manifest object is another than we know: whoever goes on has to read it. Until that was read and
  // saved, what we knew is kept for those who heal.
  Result<void> forget();
  // What the manifest object says, which is not as we know it. Where it is gone, or one that another followed
  // already (somebody restored it), what is known here of that target still tells whose what lies there is.
  Mirror recall(Mirror seen, const std::string& target, const std::string& project) const;
  // As save, but for this process alone.
  void adopt(Mirror mirror, std::string tag);
  // Nobody knows any more what lies under these keys, but whose what lay there was. For this process alone,
  // unless it is saved.
  void doubt(const std::set<std::string>& keys);
  std::set<std::string> doubted() const;

  // What mirror() tells others of the transfer that is under way, once more.
  void tell_again(bool repeats) {
    mirror_.repeats = repeats;
    ++mirror_.told;
  }

  // An object was begun, put, or removed.
  Result<void> begun(const std::string& key);
  Result<void> put(MirrorObject object);
  Result<void> removed(const std::string& key);
  // What was asked for these keys is asked for once more, and may be done twice.
  Result<void> again(const std::vector<std::string>& keys);
  // The transfer came to its end: what it asked for once more is taken for over.
  Result<void> ended_well();
  Result<void> beat(Beat now);
  // Of a large file's upload, for whoever takes it up.
  Result<void> note(const std::string& key, const std::string& note);
  std::vector<std::string> notes(const std::string& key) const;
  std::vector<std::string> noted_keys() const;
  void drop_notes(const std::string& key);
  // It was begun, and nobody knows whether it was put.
  bool is_open(const std::string& key) const;

  // Makes mirror() what was noted until now. Others may go on noting; what is read of mirror() meanwhile is
  // read under the same lock as this is called under.
  void settle();

 private:
  // kFile: begins the log of the file with that digest. kMoved: the manifest object is by now another than
  // the file has, and differs from that so. kOf: what follows was done since the manifest object with that
  // tag was written. kSelf: what follows was written by whom. kRefused: that writer wrote nothing. kTelling:
  // the manifest object is being put. kEarlier: of whom it was once.
  enum class Word : std::uint8_t {
    kOf = 1,
    kWriter,
    kBegun,
    kPut,
    kRemoved,
    kNote,
    kFile,
    kMoved,
    kSelf,
    kRefused,
    kTelling,
    kAgain,
    kBeat,
    kEnded,
    kEarlier
  };
  // By key; nothing where there is no object of the file any more.
  using Moved = std::map<std::string, std::optional<MirrorObject>>;
  Result<void> append(const std::string& entry);
  Result<void> replay();
  void heard();
  bool follow(std::string tag, Decoder& in);
  Result<void> keep();
  Result<void> rewrite_log(bool is_as_file);
  std::string moved_entry() const;
  static std::string entry_of(const Beat& beat);
  Result<void> write();
  void count_untold();
  void move(const std::vector<std::string>& gone);
  void drop_never_begun();
  void saw(const std::string& writer);
  bool is_little(std::size_t count) const { return count <= mirror_.objects.size() / 16; }

  Result<void> find_self();

  FileSystem& files_;
  std::string cache_folder_, place_, path_, log_path_;
  std::string self_;  // this cache folder, of all that there are
  Stat file_seen_, log_seen_;
  bool known_ = false;
  Mirror mirror_;
  Mirror former_;  // what was known when it was forgotten
  std::string tag_;
  std::vector<std::string> earlier_;  // who wrote the manifest object, as we saw it; the last one last
  // What others would have to ask for: keys that the manifest object says are being sent, and chunks. One is
  // cheaper asked for than told of.
  std::size_t untold_ = 0;
  std::uint64_t largest_untold_ = 0;  // bytes
  // How the objects of mirror_ differ from those in the file, and the digest of that. Nothing when there is
  // no such file, or too much differs: then it is written anew.
  std::optional<Moved> moved_;
  Digest128 file_;
  std::atomic<bool> is_quiet_ = false;
  mutable std::mutex mutex_;  // guards what follows
  std::unique_ptr<FileWriter> log_;
  std::map<std::string, std::string> writers_;  // which transfers, and by whom
  std::set<std::string> open_;
  std::map<std::string, std::vector<std::string>> notes_;
  std::vector<MirrorObject> put_;  // a later one of a key counts
  std::set<std::string> removed_;
  std::set<std::string> again_;
  std::optional<Beat> beat_;
  int telling_ = 0;  // puts of the manifest object of which nobody heard
};

}  // namespace trainmake
