#include "rules/job/checkpoint.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "cache/lay_out.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/base/walk.h"
#include "rules/job/checkpoint_times.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kLeft = "checkpoint";
constexpr const char* kResumed = "resumed";
constexpr const char* kPlaces =
    "/places";  // of a run's folder, on platforms where a contract's paths begin there

Json object_from(const std::string& text) {
  Json json = parse_json<Json>(text);
  return json.is_object() ? json : Json::object();
}

std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::uint64_t count_of_files(const Listing& listing) {
  return static_cast<std::uint64_t>(std::count_if(
      listing.begin(), listing.end(), [](const ListedFile& file) { return !is_folder(file.key); }));
}

bool has_bytes(const ListedFile& file) { return file.link_target.empty() && !is_folder(file.key); }

Json json_of(const Checkpoint& checkpoint) {
  Json json = {{"listing", checkpoint.listing}};
  if (checkpoint.files) {
    json["files"] = count_of_files(*checkpoint.files);
    json["bytes"] = bytes_of(*checkpoint.files);
  }
  if (!checkpoint.run.empty()) json["run"] = checkpoint.run;
  if (!checkpoint.times.empty()) json["times"] = checkpoint.times;
  return json;
}

std::optional<ToldCheckpoint> told(const Run& run, const char* which) {
  const Json said = object_from(run.provenance_json).value(which, Json());
  if (!said.is_object()) return std::nullopt;
  const auto count = [&](const char* name) -> std::uint64_t {
    const Json number = said.value(name, Json());
    return number.is_number_unsigned() ? number.get<std::uint64_t>() : 0;
  };
  return ToldCheckpoint{text_at(said, "run"), text_at(said, "listing"), count("files"), count("bytes"),
                        text_at(said, "times")};
}

// It was looked at when the run ended, and there was none.
bool is_known_to_have_left_none(const Run& run) {
  const Json provenance = object_from(run.provenance_json);
  return provenance.contains(kLeft) && provenance[kLeft].is_null();
}

Result<bool> has_folder(FileSystem& files, const std::string& folder) {
  if (folder.empty()) return false;
  TRY_ASSIGN(const Stat there, files.look(folder, Links::kFollow));
  return there.is(FileKind::kFolder);
}

// The path below its own checkpoint folder that an absolute one of a run leads to, whatever that was moved to
// since.
std::optional<std::string> path_in_own(const CheckpointFolder& folder, const std::string& path) {
  if (!path.starts_with('/') || cat(path, "/").find("/../") != std::string::npos) return std::nullopt;
  for (const std::string& own : {folder.at, folder.seen}) {
    if (own.empty()) continue;
    if (const std::optional<std::string> below = path_below(path, own)) return below;
  }
  if (folder.run.empty()) return std::nullopt;
  for (const std::string& name :
       {cat("/", own_checkpoint(folder.run)), cat("/", folder.run, kPlaces, folder.place)}) {
    const std::size_t found = path.find(name);
    if (found != path.npos && !name.ends_with(kPlaces))
      return path_below(path, path.substr(0, found + name.size()));
  }
  return std::nullopt;
}

std::string kept_link(const CheckpointFolder& folder, const std::string& key, const std::string& target) {
  const std::optional<std::string> below = path_in_own(folder, target);
  if (!below) return target;
  std::string up;
  for (const char c : key) up += c == '/' ? "../" : "";
  return up.empty() && below->empty() ? "." : cat(up, *below);
}

std::string place_of(const Platform& platform) {
  const std::optional<Contract::Places>& places = platform.traits.contract.places;
  return places ? places->checkpoint : "";
}

// What the platform has of it may go once the run is remembered.
Result<void> make_durable(Blobs& blobs, const Checkpoint& checkpoint) {
  std::vector<Sha256> digests;
  for (const ListedFile& file : *checkpoint.files) {
    if (has_bytes(file)) digests.push_back(file.sha256);
  }
  for (const std::string& of_all : {checkpoint.listing, checkpoint.times}) {
    if (const auto digest = Sha256::parse(of_all)) digests.push_back(*digest);
  }
  return blobs.sync(digests);
}

std::string is_gone(const std::string& folder) {
  return cat("its checkpoint folder ", quoted(folder), " is not there any more");
}

// As it was kept when the run ended; else as it lies where the run left it, on the platform of now.
Result<std::optional<Checkpoint>> checkpoint_of(const CheckpointSources& sources, const Run& run,
                                                const std::stop_token& stop) {
  if (const auto left = told_left(run); left && !left->listing.empty()) {
    Checkpoint kept{run.id, left->listing, nullptr, left->times};
    TRY_ASSIGN(kept.files, sources.listings.get(left->listing));
    TRY_ASSIGN(const bool whole, is_whole(sources.files, sources.blobs, kept));
    if (whole) return std::optional(std::move(kept));
    sources.tell(cat("The checkpoint of run ", run.id, " is no longer in the cache, or damaged"));
  }
  if (run.platform != sources.platform_name || is_known_to_have_left_none(run))
    return std::optional<Checkpoint>();
  TRY_ASSIGN(const std::string folder,
             sources.platform.left(JobHandle::of(run), {Left::kCheckpoint, {}, stop}));
  TRY_ASSIGN(const bool there, has_folder(sources.files, folder));
  if (!there && !folder.empty())
    sources.tell(cat("Nothing goes on from run ", run.id, ": ", is_gone(folder)));
  TRY_ASSIGN(std::string seen, sources.platform.left(JobHandle::of(run), {Left::kCheckpointSeen, {}, stop}));
  TRY_ASSIGN(std::optional<Checkpoint> left,
             keep_checkpoint(sources.files, sources.blobs,
                             {folder, std::move(seen), run.id, place_of(sources.platform)}, stop));
  if (left) left->run = run.id;
  return left;
}

}  // namespace

Result<std::optional<Checkpoint>> keep_checkpoint(FileSystem& files, Blobs& blobs,
                                                  const CheckpointFolder& folder,
                                                  const std::stop_token& stop) {
  TRY_ASSIGN(const bool there, has_folder(files, folder.at));
  if (!there) return std::optional<Checkpoint>();
  WalkRequest request;
  TRY_ASSIGN(request.top, follow_links(files, folder.at));
  request.include = {"**"};
  request.all_names = true;
  request.empty_folders = true;
  request.links = Links::kKeep;
  TRY_ASSIGN(const Walked walked, walk(files, request));
  Listing listing;
  std::vector<std::int64_t> times;
  for (const WalkedFile& found : walked.files) {
    if (!is_folder(found.path) && found.stat.is(FileKind::kFolder)) continue;  // the top, with nothing in it
    ListedFile file;
    file.key = found.path;
    file.link_target = kept_link(folder, found.path, found.link_target);
    if (has_bytes(file)) {
      TRY_ASSIGN(const Blobs::Stored stored, blobs.put_file(path_join(request.top, found.path), stop));
      file.size = stored.size;
      file.mode = (found.stat.mode & 0111U) != 0 ? 0755 : 0644;
      file.content = stored.content;
      file.sha256 = stored.sha256;
    }
    listing.push_back(std::move(file));
    times.push_back(found.stat.mtime_ns);
  }
  if (count_of_files(listing) == 0) return std::optional<Checkpoint>();
  TRY_ASSIGN(const Sha256 digest, blobs.put(encode(listing)));
  TRY_ASSIGN(std::string kept_times, keep_times(blobs, times));
  return std::optional(Checkpoint{"", digest.hex(), std::make_shared<const Listing>(std::move(listing)),
                                  std::move(kept_times)});
}

Result<std::string> keep_checkpoint_of(Platform& platform, FileSystem& files, Blobs& blobs, Run& run,
                                       const std::stop_token& stop) {
  Json provenance = object_from(run.provenance_json);
  const Json spec = provenance.value("spec", Json());
  const bool resumes = spec.is_object() && spec.value("resume", Json()) == true;
  if (!resumes || run.started_ns == 0 || !run.repeats.empty()) return std::string();
  TRY_ASSIGN(const std::string folder, platform.left(JobHandle::of(run), {Left::kCheckpoint, {}, stop}));
  TRY_ASSIGN(std::string seen, platform.left(JobHandle::of(run), {Left::kCheckpointSeen, {}, stop}));
  auto left = keep_checkpoint(files, blobs, {folder, std::move(seen), run.id, place_of(platform)}, stop);
  if (!left && left.error().blame == Blame::kUser) return left.error().message;
  if (!left) return fail(std::move(left).error());
  if (*left) TRY(make_durable(blobs, **left));
  TRY_ASSIGN(const bool there, has_folder(files, folder));
  provenance.erase(kLeft);
  if (there) provenance[kLeft] = *left ? json_of(**left) : Json();
  run.provenance_json = dumped(provenance);
  return there ? std::string() : is_gone(folder);
}

Result<std::vector<std::string>> texts_naming_folders_of(const std::vector<Run>& runs, Blobs& blobs,
                                                         const Checkpoint& checkpoint) {
  constexpr std::uint64_t kLongestText = 1U << 20U;
  std::set<std::string, std::less<>> ids;
  for (const Run& run : runs) ids.insert(run.id);
  const std::string own = cat("/", own_checkpoint("")), places = cat(kPlaces, "/");
  const auto is_one = [&](std::string_view id) { return ids.contains(id); };
  const auto names_one = [&](std::string_view text) {
    for (std::size_t at = text.find(own); at != text.npos; at = text.find(own, at + 1)) {
      const std::string_view id = text.substr(at + own.size());
      if (is_one(id.substr(0, id.find_first_not_of("0123456789abcdef")))) return true;
    }
    for (std::size_t at = text.find(places); at != text.npos; at = text.find(places, at + 1)) {
      const std::string_view above = text.substr(0, at);
      if (is_one(above.substr(above.rfind('/') + 1))) return true;
    }
    return false;
  };
  std::vector<std::string> naming;
  for (const ListedFile& file : *checkpoint.files) {
    if (!has_bytes(file) || file.size > kLongestText) continue;
    TRY_ASSIGN(const std::optional<std::string> text, blobs.read(file.sha256));
    const bool is_text = text && text->find('\0') == std::string::npos;
    if (is_text && names_one(*text)) naming.push_back(file.key);
  }
  return naming;
}

std::string checkpoint_left_by(const Run& run) {
  const std::optional<ToldCheckpoint> left = told_left(run);
  return left ? left->listing : "";
}

std::optional<ToldCheckpoint> told_resumed(const Run& run) { return told(run, kResumed); }

std::optional<ToldCheckpoint> told_left(const Run& run) { return told(run, kLeft); }

std::string with_resumed(const std::string& provenance_json, const std::optional<Checkpoint>& resumed) {
  Json provenance = object_from(provenance_json);
  provenance.erase(kResumed);
  if (resumed) provenance[kResumed] = json_of(*resumed);
  return dumped(provenance);
}

Result<std::optional<Checkpoint>> resumed_by(Listings& listings, const Run& run) {
  const std::optional<ToldCheckpoint> said = told_resumed(run);
  if (!said) return std::optional<Checkpoint>();
  Checkpoint resumed{said->run, said->listing, nullptr, said->times};
  TRY_ASSIGN(resumed.files, listings.get(resumed.listing));
  return std::optional(std::move(resumed));
}

Result<std::optional<Checkpoint>> last_checkpoint(const CheckpointSources& sources,
                                                  const std::vector<Run>& runs, const std::stop_token& stop) {
  for (const Run& run : runs) {
    if (!is_over(run.status) || run.started_ns == 0) continue;
    TRY_ASSIGN(std::optional<Checkpoint> left, checkpoint_of(sources, run, stop));
    if (left) return left;
  }
  return std::optional<Checkpoint>();
}

std::vector<Run> in_vain_since_success(std::vector<Run> runs) {
  const auto success = std::find_if(runs.begin(), runs.end(),
                                    [](const Run& run) { return run.status == RunStatus::kSucceeded; });
  runs.erase(success, runs.end());
  return runs;
}

Result<bool> is_whole(FileSystem& files, const Blobs& blobs, const Checkpoint& checkpoint) {
  if (!checkpoint.files) return false;
  for (const ListedFile& file : *checkpoint.files) {
    if (!has_bytes(file)) continue;
    TRY_ASSIGN(const Stat stat, files.look(blobs.path(file.sha256)));
    if (!stat.is(FileKind::kFile) || stat.size != file.size) return false;
  }
  return true;
}

std::string own_checkpoint(std::string_view run) { return cat("run-", run); }

std::uint64_t bytes_resumed(const JobSpec& spec) {
  return spec.resumed && spec.resumed->files ? bytes_of(*spec.resumed->files) : 0;
}

Result<void> set_aside_checkpoint(FileSystem& files, const std::string& folder) {
  TRY_ASSIGN(const Stat there, files.look(folder));
  if (!there.exists()) return {};
  const std::string aside = cat(folder, ".earlier");
  TRY(files.remove(aside));
  return files.rename(folder, aside);
}

Result<void> place_checkpoint(FileSystem& files, Blobs& blobs, const JobSpec& spec, const std::string& folder,
                              const Copying& copying) {
  TRY_ASSIGN(const Stat there, files.look(folder));
  if (there.exists()) return {};
  if (!spec.resumed) return files.make_folder(folder);
  const std::string owner = cat("the checkpoint of run ", spec.resumed->run);
  if (!spec.resumed->files) {
    return fail(step_error(cat("The list of files of ", owner, " is no longer in the cache, or damaged"),
                           "`resume = false` begins without one"));
  }
  const std::string arriving = cat(folder, ".arriving");
  TRY(files.remove(arriving));
  TRY(lay_out(files, blobs, *spec.resumed->files, owner, arriving, copying));
  TRY(give_times(blobs, *spec.resumed, arriving));
  return files.rename(arriving, folder);
}

std::string size_text(const Checkpoint& checkpoint) {
  return size_text(ToldCheckpoint{"", "", count_of_files(*checkpoint.files), bytes_of(*checkpoint.files)});
}

std::string size_text(const ToldCheckpoint& checkpoint) {
  return cat(plural(checkpoint.files, "file"), ", ", human_bytes(checkpoint.bytes));
}

}  // namespace trainmake
