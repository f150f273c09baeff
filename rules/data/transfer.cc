#include "rules/data/transfer.h"

#include <algorithm>
#include <random>
#include <thread>

#include "cache/stores/at_once.h"
#include "engine/base/text.h"
#include "rules/data/catch_up.h"

namespace trainmake {
namespace {

constexpr std::int64_t kProgressEvery_ns = 100'000'000;
constexpr std::int64_t kSecond_ns = 1'000'000'000;
// Since it was told: nothing is begun any more without telling again, and then nothing goes on.
constexpr std::int64_t kLongSince_ns = kLease_s * kSecond_ns * 2 / 3;
constexpr std::int64_t kLastMoment_ns = kLease_s * kSecond_ns * 5 / 6;

std::string random_name() {
  std::random_device random;
  return Digest128{(std::uint64_t{random()} << 32U) | random(), (std::uint64_t{random()} << 32U) | random()}
      .hex();
}

}  // namespace

// Tells, now and then, that somebody is still at work, on a thread of its own, since one object may take
// hours. Where that cannot be told any more, the work is stopped before others take over.
class Transfer::Keeper {
 public:
  Keeper(Transfer& transfer, const std::stop_token& outer)
      : on_outer_(outer, [this] { stop.request_stop(); }),
        thread_([this, &transfer](const std::stop_token& end) {
          while (!transfer.of_.host.clock.wait(std::chrono::seconds(kLease_s / 3), end)) {
            const Result<bool> told = transfer.tell();
            const bool is_lost = told ? !*told : transfer.since_told_ns() > kLastMoment_ns;
            if (is_lost) stop.request_stop();
          }
        }) {}

  std::stop_source stop;  // of what is being done

 private:
  std::stop_callback<std::function<void()>> on_outer_;
  std::jthread thread_;
};

Transfer::Transfer(const TransferOf& of, const MirrorChange& changed) : of_(of), changed_(changed) {
  const bool any_is_worth_it =
      std::any_of(changed.send.begin(), changed.send.end(),
                  [&](const ListedFile* file) { return file->size >= of.worth_copying; });
  if (!any_is_worth_it || of.place.is_local()) return;
  for (const MirrorObject& object : of.ledger.mirror().objects) {
    if (object.size >= of.worth_copying && !object.tag.empty()) copyable_.emplace(object.content, object);
  }
  for (const ListedFile* file : changed.send) {
    const MirrorObject* object = find_object(of.ledger.mirror(), file->key);
    if (object != nullptr && !object->chunks.empty()) earlier_.emplace(file->key, *object);
  }
}

Result<bool> Transfer::announce() {
  // While nothing was touched.
  for (const ListedFile* file : changed_.send) TRY(of_.place.store->check(of_.place.key(file->key)));
  Announcement said = announcement(of_.listing, of_.ledger.take(), changed_);
  said.mirror.target = owner_text(of_.label);
  said.mirror.root = of_.root;
  said.mirror.writer = random_name();
  TRY(of_.ledger.begin(said.mirror.writer));
  const Moment now = moment();
  TRY_ASSIGN(std::optional<std::string> tag,
             of_.place.store->put(of_.place.manifest_key(), to_json(said.mirror), of_.ledger.tag()));
  if (!tag) return false;
  held_since(now);
  TRY(of_.ledger.announced(std::move(said), *std::move(tag)));
  return true;
}

// What is there by now, in a store that we alone write to since the last time.
Result<bool> Transfer::tell() {
  const std::lock_guard alone(telling_);
  if (is_overtaken_) return false;
  of_.ledger.settle();
  const Moment now = moment();
  TRY_ASSIGN(std::optional<std::string> tag,
             of_.place.store->put(of_.place.manifest_key(), to_json(of_.ledger.mirror()), of_.ledger.tag()));
  if (!tag) {
    is_overtaken_ = true;
    return false;
  }
  held_since(now);
  TRY(of_.ledger.told(*std::move(tag)));
  return true;
}

Transfer::Moment Transfer::moment() const { return {of_.host.clock.steady_ns(), of_.host.clock.now_ns()}; }
void Transfer::held_since(const Moment& moment) {
  held_steady_ns_ = moment.steady_ns;
  held_wall_ns_ = moment.wall_ns;
}
std::int64_t Transfer::since_told_ns() const {
  const Moment now = moment();
  return std::max(now.steady_ns - held_steady_ns_, now.wall_ns - held_wall_ns_);
}

// Others take over from one who has not told for long; so that comes before whatever is begun then.
Result<void> Transfer::may_write() {
  if (of_.place.is_local() || since_told_ns() < kLongSince_ns) return {};
  const std::lock_guard one_alone(renewing_);
  if (since_told_ns() < kLongSince_ns) return {};
  TRY_ASSIGN(const bool told, tell());
  return told ? Result<void>() : fail(interrupted_error());
}

Result<bool> Transfer::run(const Doing& doing) {
  std::optional<Keeper> keeper;
  if (!of_.place.is_local()) keeper.emplace(*this, doing.stop);
  Doing ours = doing;
  if (keeper) ours.stop = keeper->stop.get_token();
  Result<bool> finished = finish(ours);
  const bool was_stopped = doing.stop.stop_requested();
  keeper.reset();
  of_.ledger.settle();
  if (is_overtaken_) return false;
  if (!finished && ours.stop.stop_requested() && !was_stopped)
    return fail(user_error(cat("The store of ", quoted(of_.place.text()),
                               " cannot be told any more that this goes on"),
                           "Run it again when the store is well; what it has by then is not sent again")
                    .because(Blame::kRemote));
  return finished;
}

Result<bool> Transfer::finish(const Doing& doing) {
  if (!changed_.make_way.empty()) of_.borrowings.end(of_.label);
  TRY(remove(changed_.make_way, doing));
  TRY(send_all(doing, doing.stop));
  of_.borrowings.end(of_.label);
  if (of_.place.is_local()) {
    // Nobody reads it meanwhile: it is locked.
    TRY(remove(changed_.remove, doing));
    if (!changed_.remove.empty()) TRY(make_folders_again());
    return tell();
  }
  of_.ledger.settle();
  // What took long may have met somebody who took over.
  if (of_.ledger.owes_settling() || since_told_ns() > kLease_s * kSecond_ns / 3) {
    TRY_ASSIGN(const bool told, tell());
    if (!told) return false;
  }
  TRY(remove(changed_.remove, doing));
  // Of a few whoever reads it asks sooner than waits.
  const bool is_soon_asked_for = changed_.remove.size() <= kFewKeys;
  return is_soon_asked_for && since_told_ns() < kLease_s * kSecond_ns / 3 ? Result<bool>(true) : tell();
}

Result<void> Transfer::send_all(const Doing& doing, const std::stop_token& stop) {
  // Large ones go by themselves: each is several requests at once.
  std::vector<const ListedFile*> small, large;
  constexpr std::uint64_t kLarge = std::uint64_t{64} << 20U;
  for (const ListedFile* file : changed_.send) (file->size > kLarge ? large : small).push_back(file);
  TRY(at_once(small.size(), of_.place.store->puts_at_once(),
              [&](std::size_t i) { return send(*small[i], doing, stop); }));
  return at_once(large.size(), 1, [&](std::size_t i) { return send(*large[i], doing, stop); });
}

Result<void> Transfer::send(const ListedFile& file, const Doing& doing, const std::stop_token& stop) {
  if (stop.stop_requested()) return fail(interrupted_error());
  TRY(may_write());
  TRY_ASSIGN(const bool is_there, was_put(file));
  if (is_there) return {};
  if (is_folder(file.key)) return make_folder(file, doing);
  const std::string path =
      file.source.empty() ? of_.blobs.path(file.sha256) : of_.workspace.path(file.source);
  FileToPut put{of_.place.key(file.key), path, file.content, like(file)};
  put.notes = of_.ledger.notes(file.key);
  if (!of_.place.is_local()) {
    // What is not noted is sent again, and that is all.
    put.note = [&](const std::string& note) { (void)of_.ledger.note(file.key, note); };
  }
  TRY(of_.ledger.begun(file.key));
  Result<PutFile> sent = of_.place.store->put_file(put, stop);
  if (!sent && file.source.empty()) {
    TRY_ASSIGN(const bool is_sound, of_.blobs.is_sound(file.sha256));
    if (!is_sound)
      return fail(step_error(cat("What was kept of ", quoted(file.key), " is damaged, and was removed"),
                             "Run it again: it is got anew"));
  }
  TRY_ASSIGN(PutFile done, std::move(sent));
  TRY(of_.ledger.put({file.key, file.size, file.content, std::move(done.tag), std::move(done.chunks)}));
  if (!done.copied) {
    doing.tally.uploaded_objects += 1;
    doing.tally.uploaded_bytes += done.sent;
  }
  progress(doing, file.size);
  return {};
}

Result<void> Transfer::make_folder(const ListedFile& folder, const Doing& doing) {
  TRY(of_.ledger.begun(folder.key));
  TRY_ASSIGN(std::optional<std::string> tag, of_.place.store->put(of_.place.key(folder.key), "", {}));
  TRY(of_.ledger.put({folder.key, 0, folder.content, std::move(tag).value_or(""), {}}));
  doing.tally.uploaded_objects += 1;
  return {};
}

// In a folder, another one goes with the last of its objects, even if it is to stay.
Result<void> Transfer::make_folders_again() {
  for (const ListedFile& file : of_.listing) {
    if (is_folder(file.key)) TRY(of_.place.store->put(of_.place.key(file.key), "", {}));
  }
  return {};
}

// Whoever was cut while it was sent did not hear whether it arrived.
Result<bool> Transfer::was_put(const ListedFile& file) {
  if (of_.place.is_local() || !of_.ledger.is_open(file.key)) return false;
  TRY_ASSIGN(const std::optional<StoredObject> there, of_.place.store->look(of_.place.key(file.key)));
  if (!there || there->content != file.content || there->size != file.size) return false;
  TRY(of_.ledger.put({file.key, file.size, file.content, there->tag, {}}));
  return true;
}

LikeObject Transfer::like_of(const MirrorObject& object) const {
  return {of_.place.key(object.key), object.tag, object.size, object.content, object.chunks};
}

std::optional<LikeObject> Transfer::like(const ListedFile& file) const {
  if (file.size < of_.worth_copying || of_.place.is_local()) return std::nullopt;
  if (const auto same = copyable_.find(file.content); same != copyable_.end()) return like_of(same->second);
  // What others hold may go once our borrowing has ended.
  const bool is_borrowing = changed_.make_way.empty();
  const auto same = is_borrowing ? of_.elsewhere.find(file.content) : of_.elsewhere.end();
  if (same != of_.elsewhere.end()) return same->second;
  const auto earlier = earlier_.find(file.key);
  return earlier == earlier_.end() ? std::nullopt : std::optional(like_of(earlier->second));
}

Result<void> Transfer::remove(const std::vector<std::string>& keys, const Doing& doing) {
  constexpr std::size_t kAtOnce = 1000;
  for (std::size_t i = 0; i < keys.size(); i += kAtOnce) {
    if (doing.stop.stop_requested()) return fail(interrupted_error());
    std::vector<std::string> now;
    for (std::size_t j = i; j < std::min(keys.size(), i + kAtOnce); ++j)
      now.push_back(of_.place.key(keys[j]));
    TRY(of_.borrowings.wait_for(of_.label, {now.begin(), now.end()}, doing.stop));
    TRY(may_write());
    TRY(of_.place.store->remove(now));
    for (std::size_t j = i; j < i + now.size(); ++j) TRY(of_.ledger.removed(keys[j]));
    doing.tally.deleted_objects += now.size();
  }
  return {};
}

void Transfer::progress(const Doing& doing, std::uint64_t bytes) {
  const std::uint64_t done = done_bytes_ += bytes;
  const std::int64_t now = of_.host.clock.steady_ns();
  std::int64_t told = told_ns_;
  const bool is_due = now - told >= kProgressEvery_ns || done == changed_.bytes;
  if (is_due && told_ns_.compare_exchange_strong(told, now))
    doing.events(Progress{of_.label, "uploading", done, changed_.bytes, true});
}

}  // namespace trainmake
