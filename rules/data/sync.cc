#include "rules/data/sync.h"

#include <algorithm>
#include <limits>
#include <set>
#include <unordered_set>

#include "engine/base/text.h"
#include "rules/data/as_sent.h"
#include "rules/data/catch_up.h"
#include "rules/data/stored.h"

namespace trainmake {
namespace {

constexpr std::int64_t kComparedFor_ns = 10'000'000'000;

// A snapshot has everything anew, and most of it lies in the one before.
std::uint64_t worth_copying(const StorePlace& place) { return place.snapshot ? 1 : kWorthCopying; }

bool has_key(const Listing& files, std::string_view key) {
  const auto at =
      std::lower_bound(files.begin(), files.end(), key,
                       [](const ListedFile& file, std::string_view sought) { return file.key < sought; });
  return at != files.end() && at->key == key;
}

// Objects that a job reads with its data, and that the data has no file for. A list comes in no order.
struct Undeclared {
  static constexpr std::size_t kMostNamed = 3;
  std::size_t count = 0;
  std::set<std::string> named;

  void add(std::string_view key) {
    ++count;
    named.insert(quoted(key));
    if (named.size() > kMostNamed) named.erase(std::prev(named.end()));
  }
  std::string told(const StorePlace& place, const std::string& label) const {
    const std::vector<std::string> names(named.begin(), named.end());
    return cat("A job reads all that lies in ", quoted(place.text()), ", also ", plural(count, "object"),
               " that ", quoted(label), " has no file for: ", join(names, ", "),
               count > kMostNamed ? cat(" and ", count - kMostNamed, " more") : "", ". Remove ",
               count == 1 ? "it" : "them", " there, or give the data another `prefix`",
               place.is_of_one_content ? "" : " or `snapshot = true`");
  }
};

// Whether a folder gets its first key: only there can another target's place be.
bool has_new_folder(const MirrorChange& changed, const Mirror& there) {
  if (there.target.empty()) return true;
  std::set<std::string_view> folders;  // of keys that are not there yet
  for (const ListedFile* file : changed.send) {
    if (find_object(there, file->key) == nullptr) folders.insert(path_folder(file->key));
  }
  if (folders.empty()) return false;
  for (const MirrorObject& object : there.objects) folders.erase(path_folder(object.key));
  return !folders.empty();
}

constexpr std::uint64_t kNeverCopied = std::numeric_limits<std::uint64_t>::max();

// What would travel, less what the store has already under another key.
Work work_of(const MirrorChange& changed, const Mirror& there, const LikeObjects& elsewhere,
             std::uint64_t least) {
  const auto is_large = [&](const auto& each) { return each.size >= least; };
  std::unordered_set<Digest128> copyable;
  if (std::any_of(changed.send.begin(), changed.send.end(),
                  [&](const ListedFile* file) { return is_large(*file); })) {
    for (const MirrorObject& object : there.objects) {
      if (is_large(object) && !object.is_found) copyable.insert(object.content);
    }
  }
  Work work;
  work.removals = changed.remove.size() + changed.make_way.size() + changed.ask.size();
  for (const ListedFile* file : changed.send) {
    if (is_large(*file) && (copyable.contains(file->content) || elsewhere.contains(file->content))) continue;
    ++work.objects;
    work.object_bytes += file->size;
  }
  return work;
}

// Asks of unsettled keys without a file what lies there: only what is ours is removed.
Result<void> settle_leftovers(const StorePlace& place, Ledger& ledger, const std::vector<std::string>& keys) {
  std::string tag = ledger.tag();
  Mirror mirror = ledger.take();
  TRY(ask_for_leftovers(place, mirror, keys));
  ledger.adopt(std::move(mirror), std::move(tag));
  return {};
}

}  // namespace

Result<Work> Sync::plan(const Subject& subject, const StorePlace& place, const SharedListing& listing,
                        const std::string& root) {
  const Target& target = subject.target();
  TRY(claims_.claim(place, target, listing));
  const StorePlace now = place.of_content(root);
  TRY_ASSIGN(const SharedLedger ledger, places_.ledger_of(now));
  TRY(places_.look_again_if_free(now, target, *ledger));
  TRY(now.check_owner(ledger->mirror(), target));  // of a run of another project here
  // What only asking tells is taken for all that it can be.
  const MirrorChange changed = change(*listing, ledger->mirror(), place.prune);
  const std::uint64_t least = worth_copying(place);
  LikeObjects elsewhere = find_elsewhere(places_, subject, place, changed, least);
  const Work work = work_of(changed, ledger->mirror(), elsewhere, place.is_local() ? kNeverCopied : least);
  borrowings_.plan(target.label, std::move(elsewhere));
  return work;
}

Result<Moved> Sync::run(const Subject& subject, const StorePlace& place, const Listing& listing,
                        const std::string& root, const Doing& doing) {
  std::set<std::string> leases;
  Result<Moved> made = make_so(subject, place, listing, root, doing, leases);
  if (made && !place.is_local()) forget_leases(place.of_content(root), leases);
  borrowings_.end(subject.target().label);
  places_.let_go_of_ledger(place.of_content(root));  // it is large, and was of use until now
  return made;
}

Result<bool> Sync::holds(const StorePlace& base, const Target& target, const std::string& root, bool current,
                         Looks& looks) {
  const StorePlace place = base.of_content(root);
  TRY_ASSIGN(const SharedLedger ledger, places_.ledger_of(place));
  std::vector<std::pair<std::string, Stat>> told_by = ledger->seen();
  if (place.is_local()) {
    const std::string path = place.local_path(place.manifest_key());
    TRY_ASSIGN(const Stat stat, services_.host.files.look(path));
    told_by = {{path, stat}};
  }
  for (const auto& [path, stat] : told_by)
    looks.files.push_back({path_below(path, services_.workspace.root).value_or(path), stat});
  TRY(places_.look_again_if_free(place, target, *ledger));
  const auto is_as_recorded = [&](const Mirror& there) {
    return there.root == root && there.unsettled.empty();
  };
  if (!ledger->is_known()) {
    TRY_ASSIGN(StorePlace::Seen seen, place.read(target));
    if (!is_as_recorded(seen.mirror)) return false;
    TRY(ledger->save(std::move(seen.mirror), std::move(seen.tag)));
  }
  if (!is_as_recorded(ledger->mirror())) return false;
  if (current && !place.is_local()) return true;
  if (place.snapshot && place.is_local() && !ledger->mirror().objects.empty()) {
    const std::string path = place.local_path(place.key(ledger->mirror().objects.front().key));
    TRY_ASSIGN(const Stat stat, services_.host.files.look(path));
    looks.files.push_back({path_below(path, services_.workspace.root).value_or(path), stat});
  }
  TRY_ASSIGN(const bool is_gone, is_taken_away(place, ledger->mirror()));
  return !is_gone;
}

// Until what lies there is what should: whenever somebody else wrote there meanwhile, what differs now is
// another. `leases`: of whom, that are of no use any more once this has ended well.
Result<Moved> Sync::make_so(const Subject& subject, const StorePlace& base, const Listing& listing,
                            const std::string& root, const Doing& doing, std::set<std::string>& leases) {
  constexpr int kMostAttempts = 20;
  const Target& target = subject.target();
  const StorePlace place = base.of_content(root);
  TRY_ASSIGN(const SharedLedger shared, places_.ledger_of(place));
  Ledger& ledger = *shared;
  TRY(places_.look_again_if_free(place, target, ledger));
  std::set<std::string> doubted = ledger.doubted();  // what lies there, nobody knows
  Moved moved;
  const std::shared_ptr<const LikeObjects> others = borrowings_.begin(target.label);
  const bool knows_the_place = ledger.has_written() || services_.may_prune;
  if (ledger.is_known())
    TRY(wait_for_last_arrivals(services_.host, place, target, ledger.mirror(), &listing, ledger, doing));
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    const bool is_first = attempt == 0;
    if (!ledger.is_known() || (doing.afresh && is_first)) {
      TRY_ASSIGN(const std::string former, catch_up(services_.host, place, target, &listing, ledger, doing));
      leases.insert(former);
    }
    if (!ledger.mirror().unsettled.empty()) leases.insert(ledger.mirror().writer);
    // What it says of its objects may not be so any more.
    bool doubts_all = doing.afresh && is_first;
    if (!doubts_all && is_first) {
      TRY_ASSIGN(doubts_all, is_taken_away(place, ledger.mirror()));
    }
    if (doubts_all) {
      for (const MirrorObject& object : ledger.mirror().objects) doubted.insert(object.key);
    }
    ledger.doubt(doubted);
    MirrorChange changed = change(listing, ledger.mirror(), place.prune);
    const bool has_asked = !changed.ask.empty();
    if (has_asked) {
      TRY(settle_leftovers(place, ledger, changed.ask));
      changed = change(listing, ledger.mirror(), place.prune);
    }
    if (changed.empty() && !has_asked && ledger.mirror().root == root &&
        !ledger.owes_settling(place.store->traits().tells_content_to) && ledger.mirror().unsettled.empty())
      return moved;
    TRY(check_way(changed, place, target));
    if (!knows_the_place) TRY(check_removals(changed, place, target));
    if (is_first) tell_what_is_there(changed, ledger.mirror(), knows_the_place, place, target, doing);
    if (!changed.empty()) TRY(wait_for_readers(place, target, doing));
    const TransferOf of{
        services_.host, services_.workspace, services_.blobs,     place, ledger, target, listing, root,
        *others,        borrowings_,         worth_copying(place)};
    Transfer transfer(of, changed);
    TRY_ASSIGN(bool is_done, announce(transfer, place, target, listing, changed, ledger, doing));
    if (is_done) {
      Result<bool> ran = transfer.run(doing);
      // A bucket of a service that keeps objects as files.
      const bool is_in_the_way = !ran && ran.error().lasts && ran.error().blame == Blame::kStep;
      if (is_in_the_way && !changed.in_the_way.empty()) return fail(left_in_the_way(changed, place, target));
      TRY_ASSIGN(is_done, std::move(ran));
      moved += transfer.moved();
      if (is_done) leases.insert(transfer.told_as());
      if (!is_done && transfer.was_overtaken()) {
        for (const ListedFile* file : changed.send) doubted.insert(file->key);
        TRY(ledger.forget());
      }
    }
    if (is_done && place.snapshot) TRY(places_.latest_snapshot(base).save(ledger.mirror(), ledger.tag()));
    if (is_done) return moved;
  }
  return fail(step_error(cat("Others keep sending to ", quoted(place.text())),
                         "Give each who sends a `prefix` of its own")
                  .because(Blame::kBusy));
}

// Whoever removes an old snapshot takes its folder, and leaves the manifest object, which lies elsewhere: one
// object tells.
Result<bool> Sync::is_taken_away(const StorePlace& place, const Mirror& mirror) {
  if (!place.snapshot || mirror.objects.empty()) return false;
  const std::string key = place.key(mirror.objects.front().key);
  if (place.is_local()) {
    TRY_ASSIGN(const Stat there, services_.host.files.look(place.local_path(key)));
    return !there.exists();
  }
  TRY_ASSIGN(const std::optional<StoredObject> there, place.store->look(key));
  return !there;
}

// A file that gets the name of a folder of ours needs all of that out of the way: of what has to stay there
// is told while ours lie there still.
Result<void> Sync::check_folder(const std::vector<std::string>& make_way, const std::string& key,
                                const StorePlace& place, const Target& target) {
  const std::string below = cat(key, "/");
  const auto first = std::lower_bound(make_way.begin(), make_way.end(), below);
  if (first == make_way.end() || !first->starts_with(below)) return {};
  bool has_others = false;
  TRY(place.store->list(place.key(below), [&](const StoredObject& there) {
    const std::string_view file_key = std::string_view(there.key).substr(place.prefix.size() + 1);
    has_others = has_others || !(is_folder(file_key) || std::binary_search(first, make_way.end(), file_key));
  }));
  return has_others ? fail(place.in_the_way(target)) : place.store->check_way(place.key(key));
}

// Where a store has folders: without `prune` nothing makes way, and a folder of ours may have to stay.
Result<void> Sync::check_way(const MirrorChange& changed, const StorePlace& place, const Target& target) {
  if (!place.store->traits().has_folders) return {};
  if (!changed.make_way.empty()) {
    for (const ListedFile* file : changed.send) TRY(check_folder(changed.make_way, file->key, place, target));
  }
  if (changed.in_the_way.empty()) return {};
  return fail(left_in_the_way(changed, place, target));
}

Error Sync::left_in_the_way(const MirrorChange& changed, const StorePlace& place, const Target& target) {
  return step_error(cat(quoted(changed.in_the_way.front()), " in ", quoted(place.text()),
                        " is in the way of what is sent, and `prune = false` leaves it"),
                    "A file became a folder, or the other way round: leave out `prune = false`, or "
                    "remove it there by hand")
      .at(target.place_of("prune"));
}

// What others put there, and what another checkout did.
void Sync::tell_what_is_there(const MirrorChange& changed, const Mirror& there, bool knows_the_place,
                              const StorePlace& place, const Target& target, const Doing& doing) {
  if (place.prune && !changed.left.empty())
    doing.events(Message{target.label, cat("Left ", plural(changed.left.size(), "object"), " in ",
                                           quoted(place.text()), ", as ", quoted(changed.left.front()),
                                           ": no file is called so, and somebody else put ",
                                           changed.left.size() == 1 ? "it" : "them", " there")});
  if (knows_the_place || place.snapshot) return;
  const auto is_there = [&](const ListedFile* file) { return find_object(there, file->key) != nullptr; };
  const auto first = std::find_if(changed.send.begin(), changed.send.end(), is_there);
  if (first == changed.send.end()) return;
  const auto count =
      static_cast<std::size_t>(std::count_if(changed.send.begin(), changed.send.end(), is_there));
  doing.events(Message{
      target.label,
      cat("Replaces ", plural(count, "object"), " in ", quoted(place.text()), ", as ", quoted((*first)->key),
          ", which another checkout sent there; of two projects give each a name (`project { name = ... }`) "
          "or a `prefix`")});
}

// What lies there and was never sent from here may be of somebody who has more files than this checkout, or
// of another project altogether.
Result<void> Sync::check_removals(const MirrorChange& changed, const StorePlace& place,
                                  const Target& target) {
  const std::size_t count = changed.remove.size() + changed.make_way.size();
  if (count == 0) return {};
  const std::string& one = changed.remove.empty() ? changed.make_way.front() : changed.remove.front();
  const std::string label = target.label.shortest_from(services_.workspace.here);
  return fail(
      step_error(cat(quoted(place.text()), " has ", plural(count, "object"), " that ", quoted(label),
                     " has no file for, as ", quoted(one), ", and nothing was sent there from here before"),
                 cat("`trainmake ", shell_word(label), " --prune` removes ", count == 1 ? "it" : "them",
                     "; `prune = false` leaves what is there; another `prefix` is a place of its own"))
          .at(target.where));
}

// What was submitted is what runs. Each content of a snapshot has a place of its own, which nobody reads yet.
Result<void> Sync::wait_for_readers(const StorePlace& place, const Target& target, const Doing& doing) {
  if (place.snapshot || !services_.reader_of) return {};
  constexpr std::chrono::milliseconds kFirstPause{1000}, kLongestPause{30'000};
  std::string told;  // of which run
  for (std::chrono::milliseconds pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    TRY_ASSIGN(const std::optional<Run> reader, services_.reader_of(cat("store:", place.text()), doing));
    if (!reader) return {};
    const std::string job = quoted(reader->label.shortest_from(services_.workspace.here));
    const bool is_handed_over = reader->status != RunStatus::kQueued || !reader->job.empty();
    const std::string reads =
        cat("Run ", reader->id, " of ", job,
            is_handed_over ? " reads" : ", of which nobody heard whether it started, reads", " what lies in ",
            quoted(place.text()));
    const std::string ending = cat("`trainmake cancel ", reader->id, "` ends it");
    // Nobody here asks another platform, so its end would never be heard of.
    if (reader->platform != services_.platform_name)
      return fail(step_error(cat(reads, " on platform ", quoted(reader->platform),
                                 ", as far as was heard, so it is not changed now"),
                             cat("`trainmake ps --platform ", shell_word(reader->platform),
                                 "` asks whether it still does; then run this again"))
                      .at(target.where)
                      .because(Blame::kBusy));
    if (!doing.wait)
      return fail(step_error(cat(reads, ", so it is not changed now"),
                             cat(ending,
                                 ", with `--wait` its end is waited for; `snapshot = true` gives each "
                                 "content a place of its own"))
                      .at(target.where)
                      .because(Blame::kBusy));
    if (told != reader->id)
      doing.events(Message{target.label, cat(reads, ": waiting for its end. ", ending,
                                             ", `--no-wait` leaves instead, and `snapshot = true` gives "
                                             "each content a place of its own")});
    told = reader->id;
    if (services_.host.clock.wait(pause, doing.stop)) return fail(interrupted_error());
  }
}

// Many jobs that are submitted together share one list.
Result<std::string> Sync::not_as_sent(const StorePlace& place, const Ledger& ledger, const Target& target,
                                      const Listing* files, const Doing& doing) {
  const std::lock_guard lock(comparing_);
  Compared& last = compared_[place.identity()];
  const std::int64_t now = services_.host.clock.steady_ns();
  const bool is_told = files == nullptr || last.others_were_told;
  if (is_told && last.tag == ledger.tag() && now - last.at_ns < kComparedFor_ns) return std::string();
  Undeclared undeclared;
  TRY_ASSIGN(std::string other,
             first_not_as_sent(place, ledger.mirror(), place.prune, [&](std::string_view key) {
               if (files == nullptr || key.empty() || is_folder(key) || has_key(*files, key)) return;
               undeclared.add(key);
             }));
  if (!other.empty()) return other;
  if (undeclared.count != 0)
    doing.events(
        Message{target.label, undeclared.told(place, target.label.shortest_from(services_.workspace.here))});
  last = {ledger.tag(), services_.host.clock.steady_ns(), files != nullptr};
  return other;
}

// One look at the manifest object, which is read only when it is another than we left, and one list.
Result<std::string> Sync::check(const Target& target, const std::string& root, const Doing& doing,
                                const Listing* files) {
  TRY_ASSIGN(const std::optional<StorePlace> base, places_.place_of(target));
  if (!base) return std::string();
  const StorePlace place = base->of_content(root);
  TRY_ASSIGN(const SharedLedger ledger, places_.ledger_of(place));
  TRY_ASSIGN(const std::optional<StoredObject> there, place.store->look(place.manifest_key()));
  const bool is_ours = ledger->is_known() && ledger->mirror().root == root;
  const bool is_as_left = there && is_ours && there->tag == ledger->tag();
  // Somebody else may be sending the same just now.
  if (there && !is_as_left) TRY(catch_up(services_.host, place, target, nullptr, *ledger, doing));
  bool is_emptied = !there;
  std::string other;
  if (is_as_left || (there && ledger->mirror().root == root && ledger->mirror().unsettled.empty())) {
    TRY_ASSIGN(is_emptied, is_taken_away(place, ledger->mirror()));
    if (!is_emptied) {
      TRY_ASSIGN(other, not_as_sent(place, *ledger, target, files, doing));
      if (other.empty()) return mark_of(ledger->mirror(), ledger->tag());
    }
  }
  const std::string label = target.label.shortest_from(services_.workspace.here);
  return fail(
      user_error(cat("What lies in ", quoted(place.text()), " is not what ", quoted(label), " was sent as: ",
                     is_emptied       ? "somebody emptied it"
                     : !other.empty() ? cat(quoted(other), " is another one, or gone")
                                      : "somebody else sent there since"),
                 cat("`trainmake data verify --heal ", shell_word(label), "` sends what differs"))
          .at(target.where)
          .because(Blame::kRemote));
}

Result<bool> Sync::announce(Transfer& transfer, const StorePlace& place, const Target& target,
                            const Listing& listing, const MirrorChange& changed, const Ledger& ledger,
                            const Doing& doing) {
  const std::lock_guard among_ours(announcing_);
  TRY_ASSIGN(const std::optional<FileLock> alone, place.hold_store(services_.host, target, doing));
  if (has_new_folder(changed, ledger.mirror()) || !changed.remove.empty() || !changed.make_way.empty())
    TRY(place.check_neighbours(target, listing, changed));
  return transfer.announce();
}

}  // namespace trainmake
