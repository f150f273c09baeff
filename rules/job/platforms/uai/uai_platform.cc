#include "rules/job/platforms/uai/uai_platform.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "engine/base/log_file.h"
#include "engine/base/text.h"
#include "rules/job/note_files.h"
#include "rules/job/platforms/uai/uai_outputs.h"

namespace trainmake {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr milliseconds kBetweenLooks{2'000};
constexpr int kLooks = 3;  // after a call whose answer was lost

std::string random_name() {
  std::random_device random;
  return digest_of(cat(random(), " ", random(), " ", random(), " ", random())).hex().substr(0, 8);
}

std::string results_of(const std::string& name, const UaiFolder& folder) {
  return folder.ours(cat("runs/", name));
}

JobStatus cancelled_at(std::int64_t now_ns) {
  JobStatus status;
  status.status = RunStatus::kCancelled;
  status.reason = "cancelled";
  status.started_ns = status.ended_ns = now_ns;
  return status;
}

// Whatever kept it from being told: the job is looked for the next time.
Error left_open(Error error) {
  error.lasts = false;
  return not_told(std::move(error));
}

// It is over, and what it printed last is still to come.
JobStatus still_printing(const UaiJob& job, const std::string& why) {
  JobStatus status;
  status.status = RunStatus::kRunning;
  status.started_ns = status_of(job).started_ns;
  if (!why.empty())
    status.reason = cat("UAI-Train says ", quoted(job.state), "; its log is waited for: ", why);
  return status;
}

}  // namespace

// What is written down here of a run.
struct UaiPlatform::Notes {
  bool was_asked = false;  // the service, to create it
  std::string number;
  bool is_cancelled = false;
  std::optional<JobStatus> end;
};

UaiPlatform::UaiPlatform(Host& host, const Workspace& workspace, const Space& space, Blobs& blobs,
                         Tally& tally, UaiOptions options, UaiPlaces places, Contract contract)
    : Platform({.contract = std::move(contract),
                .reads_stores = true,
                .pulls_images = true,
                .hides_secrets = false,
                .rents_nodes = true,
                .adds_flags = true,
                .takes_many = true}),
      host_(host),
      workspace_(workspace),
      options_(std::move(options)),
      places_(std::move(places)),
      api_(host, options_, tally),
      look_ups_(host, api_, path_join(workspace.cache, "uai/look-ups")),
      jobs_(api_, host.clock),
      asked_times_(host),
      locks_(path_join(workspace.cache, "locks/uai")),
      log_(host, api_, locks_),
      blobs_(blobs),
      data_(host, workspace, space, options_, blobs, tally) {}

UaiRun UaiPlatform::folder_of(const std::string& run) const {
  return {path_join(workspace_.cache, cat("runs/", run))};
}

// Other workspaces of the project may have runs of the same key, which are not ours.
Result<std::string> UaiPlatform::name_of(const std::string& key) {
  const std::lock_guard lock(mutex_);
  if (id_.empty()) {
    TRY_ASSIGN(id_, name_once(host_.files, path_join(workspace_.cache, "uai/id"), random_name()));
  }
  return cat(key, "-", id_);
}

Result<UaiPlatform::Notes> UaiPlatform::notes_of(const UaiRun& run, const std::string& known) {
  Notes notes;
  TRY_ASSIGN(const std::string end, text_at(host_.files, run.end()));
  notes.end = parse_uai_end(end);
  TRY_ASSIGN(notes.number, text_at(host_.files, run.number()));
  if (notes.number.empty()) notes.number = known;
  TRY_ASSIGN(const std::string asked, text_at(host_.files, run.asked()));
  notes.was_asked = !asked.empty();
  TRY_ASSIGN(const Stat cancelled, host_.files.look(run.cancelled()));
  notes.is_cancelled = cancelled.exists();
  if ((notes.was_asked || !notes.number.empty()) && !notes.end) TRY(check_service(run));
  return notes;
}

// Another project or zone knows nothing of it, which would say that it is gone.
Result<void> UaiPlatform::check_service(const UaiRun& run) {
  TRY_ASSIGN(const std::string asked, text_at(host_.files, run.service()));
  TRY_ASSIGN(const std::string ours, api_.place());
  if (asked.empty() || asked == ours) return {};
  const auto shown = [](const std::string& place) {
    const std::vector<std::string> parts = split(place, '\n');
    return parts.size() != 4
               ? quoted(place)
               : cat(parts[1].empty() ? "the account's usual project" : cat("project ", quoted(parts[1])),
                     ", region ", quoted(parts[2]), ", zone ", quoted(parts[3]), " at ", parts[0]);
  };
  return fail(user_error(cat("Run ", path_name(run.top), " was started in ", shown(asked), "; platform ",
                             quoted(options_.name), " is in ", shown(ours)),
                         "Put that back, in TRAINSPACE.lua or the environment, until the run is over")
                  .because(Blame::kRemote));
}

// Those of several nodes read and write UFS alone.
const UaiPlace& UaiPlatform::place_for(std::int64_t nodes) const {
  return (nodes > 1 && places_.ufs) || !places_.bucket ? *places_.ufs : *places_.bucket;
}

Result<UaiCreation> UaiPlatform::creation_of(const JobSpec& spec, const std::string& name,
                                             const Patience& waiting) {
  const std::stop_token& stop = waiting.stop;
  UaiCreation job;
  job.name = name;
  job.memo = spec.memo.empty() ? spec.label : spec.memo;
  job.nodes = count_of(spec.resources, "nodes", 1);
  const UaiPlace& place = place_for(job.nodes);
  TRY(check_mounted(place));
  const auto heeding = place.store->heed(stop);
  job.output_url = place.folder.url(results_of(name, place.folder));
  UaiWants wants{"", job.nodes, place.folder.is_ufs};
  TRY_ASSIGN(wants.framework, distributed_framework(spec.distribution, spec.resources));
  TRY_ASSIGN(wants.node_type, node_type_of(spec.resources));
  TRY_ASSIGN(job.hours, hours_of(spec.resources, spec.timeout_s));
  TRY_ASSIGN(job.image, uhub_path_of(spec.pulled_image, options_));
  TRY_ASSIGN(job.command, render_docker_cmd(spec, traits.contract));
  TRY_ASSIGN(job.ids, look_ups_.of(wants, waiting));
  TRY_ASSIGN(job.data_url, data_.url_for(spec, place, waiting));
  return job;
}

// Only when it is written down which goes on are the others of its name stopped. Those that cannot be stopped
// now are when this is asked again. "" when there is none.
Result<std::string> UaiPlatform::adopt(const UaiRun& run, const UaiSight& sight,
                                       const std::stop_token& stop) {
  if (!sight.job) return std::string();
  TRY(write_file(host_.files, run.number(), sight.job->id + "\n", {.durable = true}));
  (void)stop_others(sight, sight.job->id, stop);
  return sight.job->id;
}

Result<std::string> UaiPlatform::adopt_now(const UaiRun& run, const std::string& name,
                                           const std::stop_token& stop) {
  TRY_ASSIGN(const UaiSight sight, jobs_.look_now(name, stop));
  return adopt(run, sight, stop);
}

// A copy of this workspace may have asked for it, or this one before its memory was lost.
Result<std::string> UaiPlatform::adopt_made_before(const UaiRun& run, const std::string& name,
                                                   const Patience& waiting) {
  TRY_ASSIGN(const UaiSight sight, jobs_.look_before_start(name, waiting.stop));
  if (!sight.is_usable()) return std::string();
  if (waiting.say)
    waiting.say(cat("UAI-Train has it already, as ", quoted(sight.job->id), ": no other is started"));
  return adopt(run, sight, waiting.stop);
}

// Until the call that may be on its way must have come to something. Whoever stops that leaves it to the next
// one who asks.
Result<std::string> UaiPlatform::adopt_late(const UaiRun& run, const std::string& name,
                                            const Patience& waiting) {
  for (bool was_told = false;; was_told = true) {
    TRY_ASSIGN(const std::int64_t left_ns, asked_times_.left_ns(run));
    TRY_ASSIGN(std::string number, adopt_now(run, name, waiting.stop));
    if (!number.empty() || left_ns == 0) return number;
    if (!was_told && waiting.say)
      waiting.say(cat("UAI-Train was asked to start it, and nobody heard what came of that: looking for it, ",
                      (left_ns + kSecond_ns - 1) / kSecond_ns, " s at most"));
    if (host_.clock.wait(kBetweenLooks, waiting.stop)) return fail(interrupted_error());
  }
}

Result<std::string> UaiPlatform::create(const UaiRun& run, const UaiCreation& job,
                                        const std::stop_token& stop) {
  TRY_ASSIGN(const UCloudAccount who, api_.account());
  const std::string doing = "start the job";
  TRY(asked_times_.begin(run));
  jobs_.expect_news();
  auto answer = api_.send("CreateUAITrainJob", render_creation(job, options_, who.keys), stop);
  const std::string number = answer && !answer->is_refusal() ? parse_uai_created(answer->body) : "";
  if (!number.empty()) {
    auto noted = write_file(host_.files, run.number(), number + "\n", {.durable = true});
    if (noted) return number;
    Error error = std::move(noted).error();
    error.message =
        cat("UAI-Train started job ", quoted(number), ", which cannot be noted here: ", error.message);
    return fail(left_open(
        std::move(error).advise("Run it again when that can be written: the job is found by its name")));
  }
  if (answer && answer->is_refusal() && answer->did_nothing()) {
    look_ups_.forget();  // what they told may have changed
    TRY(host_.files.remove(run.asked()));
    return fail(api_.refusal(*answer, "CreateUAITrainJob", doing).lasting());
  }
  for (int look = 0; look < kLooks; ++look) {
    if (stop.stop_requested() || (look > 0 && host_.clock.wait(kBetweenLooks, stop)))
      return fail(interrupted_error());
    auto found = adopt_now(run, job.name, stop);
    if (found && !found->empty()) return found;
  }
  Error error = !answer                ? std::move(answer).error()
                : answer->is_refusal() ? api_.refusal(*answer, "CreateUAITrainJob", doing)
                                       : user_error("UCloud does not say which job it started");
  error.message += "; it is not known whether the job was started";
  return fail(
      left_open(std::move(error).advise("Run it again: the job is looked for before another is started")));
}

// Secrets are refused by what renders the command.
std::vector<Result<std::string>> UaiPlatform::submit_all(const std::vector<Submission>& jobs) {
  std::vector<Result<std::string>> answers;
  for (const Submission& job : jobs) answers.push_back(start(job.spec, job.patience));
  return answers;
}

Result<std::string> UaiPlatform::start(const JobSpec& spec, const Patience& waiting) {
  const std::stop_token& stop = waiting.stop;
  if (stop.stop_requested()) return fail(interrupted_error());
  const UaiRun run = folder_of(spec.run);
  auto name = name_of(spec.key);
  if (!name) return fail(left_open(std::move(name).error()));
  TRY_ASSIGN(const FileLock lock, locks_.wait(spec.run, host_.clock, stop));
  auto notes = notes_of(run, spec.job);
  if (!notes) return fail(left_open(std::move(notes).error()));
  if (notes->is_cancelled || !notes->number.empty() || notes->end) return notes->number;
  if (notes->was_asked) {
    auto number = adopt_late(run, *name, waiting);
    if (!number) return fail(left_open(std::move(number).error()));
    if (!number->empty()) return number;
  }
  std::string wanted;
  for (const auto& [output, path] : spec.outputs) wanted += path + "\n";
  if (const std::int64_t nodes = count_of(spec.resources, "nodes", 1); nodes > 1)
    TRY(write_file(host_.files, run.nodes(), cat(nodes, "\n"), {.durable = true}));
  TRY(write_file(host_.files, run.wanted(), wanted));
  TRY_ASSIGN(const UaiCreation job, creation_of(spec, *name, waiting));
  const UaiPlace& place = place_for(job.nodes);
  const std::string results = results_of(*name, place.folder);
  TRY_ASSIGN(const std::string service, api_.place());
  TRY(write_file(host_.files, run.service(), service + "\n", {.durable = true}));
  TRY(write_file(host_.files, run.place(), job.output_url + "\n", {.durable = true}));
  auto made_before = adopt_made_before(run, *name, waiting);
  if (!made_before) return fail(left_open(std::move(made_before).error()));
  if (!made_before->empty()) return made_before;
  if (place.folder.is_ufs) TRY(host_.files.make_folder(path_join(options_.ufs_folder, results)));
  if (spec.resumed) TRY(put_checkpoint(*place.store, results + "/", *spec.resumed, blobs_, stop));
  return create(run, job, stop);
}

Result<void> UaiPlatform::remember_end(const UaiRun& run, const JobStatus& status) {
  return write_file(host_.files, run.end(), render_uai_end(status), {.durable = true});
}

Result<JobStatus> UaiPlatform::look_at(const JobHandle& job, const Patience& waiting) {
  const UaiRun run = folder_of(job.run);
  TRY_ASSIGN(Notes notes, notes_of(run, job.job));
  if (notes.end) return *notes.end;
  JobStatus status;
  status.known = false;
  TRY_ASSIGN(const std::string name, name_of(job.key));
  if (!notes.was_asked && notes.number.empty()) {
    // One that is there is taken up by whoever submits it.
    const auto before = jobs_.look_before_start(name, waiting.stop);
    status.known = before && before->is_usable();
    return status;
  }
  TRY_ASSIGN(const UaiSight sight, jobs_.find(notes.number, name, waiting.stop));
  const std::optional<UaiJob>& found = sight.job;
  if (!found) return status_of_missing(run, notes, sight.is_unlisted);
  if (notes.number == found->id)
    (void)stop_others(sight, found->id, waiting.stop);
  else
    TRY(adopt(run, sight, waiting.stop));
  status = status_of(*found);
  if (!is_over(status.status)) return status;
  if (status.status != RunStatus::kCancelled && found->started_s != 0) {
    const UaiRest rest = log_.await_rest(run, found->id, status.ended_ns, waiting.stop);
    if (rest.is_awaited) return still_printing(*found, rest.why);
  }
  TRY(remember_end(run, status));
  return status;
}

// Of one that was created, and that no list has.
Result<JobStatus> UaiPlatform::status_of_missing(const UaiRun& run, const Notes& notes, bool is_unlisted) {
  JobStatus status;
  status.known = !notes.number.empty();
  if (is_unlisted) {
    status.status = RunStatus::kRunning;
    status.may_appear = !status.known;
    status.reason = "UAI-Train does not list it, and does not say that there is no such job";
    return status;
  }
  // What was just created may not be listed yet.
  TRY_ASSIGN(const bool should_be_there, asked_times_.is_over(run));
  status.may_appear = !status.known && !should_be_there;
  if (!status.known || !should_be_there) return status;
  status.status = RunStatus::kLost;
  status.reason = "UAI-Train does not list it, and says that there is no such job";
  return status;
}

// Should there ever be several jobs of one name, one goes on.
Result<void> UaiPlatform::stop_others(const UaiSight& sight, const std::string& number,
                                      const std::stop_token& stop) {
  for (const std::string& id : sight.going) {
    if (id == number) continue;
    {
      const std::lock_guard lock(mutex_);
      if (stopped_.contains(id)) continue;
    }
    TRY(end(id, stop));
    const std::lock_guard lock(mutex_);
    stopped_.insert(id);
  }
  return {};
}

Result<std::string> UaiPlatform::read_log(const JobHandle& job, const LogPiece& piece) {
  const UaiRun run = folder_of(job.run);
  TRY_ASSIGN(const Notes notes, notes_of(run, job.job));
  if (!notes.number.empty()) TRY(log_.bring(run, notes.number, notes.end.has_value(), piece.stop));
  return read_log_file(run.log(), piece.offset, piece.limit);
}

Result<void> UaiPlatform::end(const std::string& number, const std::stop_token& stop) {
  jobs_.expect_news();
  TRY_ASSIGN(const UaiAnswer answer, api_.send("StopUAITrainJob", {{"TrainJobId", number}}, stop));
  if (answer.is_refusal()) return fail(api_.refusal(answer, "StopUAITrainJob", "stop the job"));
  return {};
}

std::vector<Result<void>> UaiPlatform::cancel_all(const std::vector<JobHandle>& jobs,
                                                  const Patience& patience) {
  std::vector<Result<void>> answers;
  for (const JobHandle& job : jobs) answers.push_back(cancel_one(job, patience));
  return answers;
}

Result<void> UaiPlatform::cancel_one(const JobHandle& job, const Patience& waiting) {
  const UaiRun run = folder_of(job.run);
  TRY_ASSIGN(const std::string name, name_of(job.key));
  TRY_ASSIGN(const FileLock lock, locks_.wait(job.run, host_.clock, waiting.stop));
  TRY_ASSIGN(Notes notes, notes_of(run, job.job));
  if (notes.end) return {};
  if (notes.number.empty() && notes.was_asked) {
    TRY_ASSIGN(notes.number, adopt_late(run, name, waiting));
  } else if (notes.number.empty()) {
    TRY_ASSIGN(notes.number, adopt_made_before(run, name, waiting));
  }
  TRY(write_file(host_.files, run.cancelled(), "", {.durable = true}));
  if (notes.number.empty()) return remember_end(run, cancelled_at(host_.clock.now_ns()));
  auto stopped = end(notes.number, waiting.stop);
  const auto sight = jobs_.find(notes.number, name, waiting.stop);
  if (sight) TRY(stop_others(*sight, notes.number, waiting.stop));
  if (stopped) return {};
  if (!sight) return fail(sight.error());
  // It may be over by now, or about to be.
  const std::vector<std::string>& going = sight->going;
  const bool is_gone =
      !sight->is_unlisted && std::find(going.begin(), going.end(), notes.number) == going.end();
  return is_gone ? Result<void>() : fail(std::move(stopped).error());
}

// Where it writes, or did.
Result<const UaiPlace*> UaiPlatform::place_of(const UaiRun& run, const std::string& name) {
  TRY_ASSIGN(const std::string where, text_at(host_.files, run.place()));
  for (const std::optional<UaiPlace>* place : {&places_.bucket, &places_.ufs}) {
    if (*place && (*place)->folder.url(results_of(name, (*place)->folder)) == where) return &**place;
  }
  if (where.empty())
    return fail(step_error(cat("Where run ", path_name(run.top), " left what it did is not known any more"),
                           "`trainmake gc` keeps that of the newest runs alone; `trainmake uai list` "
                           "shows the jobs of the project"));
  return fail(step_error(cat("What run ", path_name(run.top), " left is in ", quoted(where),
                             ", and platform ", quoted(options_.name), " reads no results there any more"),
                         "Give it that `bucket` or `ufs` again in TRAINSPACE.lua"));
}

Result<std::string> UaiPlatform::left(const JobHandle& job, const LeftRequest& wanted) {
  if (wanted.what == Left::kLogs || wanted.what == Left::kCheckpointSeen) return std::string();
  const UaiRun run = folder_of(job.run);
  TRY_ASSIGN(const std::string name, name_of(job.key));
  TRY_ASSIGN(const std::optional<std::string> written, read_file_if_there(host_.files, run.place()));
  if (!written && wanted.what == Left::kCheckpoint) return std::string();  // `gc` took the note
  TRY_ASSIGN(const UaiPlace* const place, place_of(run, name));
  const std::string results = results_of(name, place->folder) + "/";
  const bool wants_checkpoint = wanted.what == Left::kCheckpoint;
  if (place->folder.is_ufs)
    return path_join(options_.ufs_folder, cat(results, wants_checkpoint ? kCheckpoints : ""));
  TRY_ASSIGN(const FileLock lock, locks_.wait(cat("output ", job.run), host_.clock, wanted.stop));
  TRY_ASSIGN(const Notes notes, notes_of(run, job.job));
  Bringing bringing{*place->store, cat(results, kCheckpoints, "/"), {""}, run.checkpoint(), wanted.stop};
  if (!wants_checkpoint) {
    TRY_ASSIGN(const std::string declared, text_at(host_.files, run.wanted()));
    bringing.prefix = results;
    bringing.paths = wanted.files;
    for (const std::string& path : split(declared, '\n')) {
      if (notes.end && !path.empty()) bringing.paths.push_back(path);
    }
    bringing.to = notes.end ? run.output() : run.output_so_far();
  }
  if (!notes.end) TRY(host_.files.remove(bringing.to));
  TRY(bring(host_, bringing));
  return bringing.to;
}

// A UFS is looked at as any folder here.
Result<std::vector<std::string>> UaiPlatform::paths_left(const JobHandle& job, const std::stop_token& stop) {
  std::vector<std::string> paths;
  TRY_ASSIGN(const std::string name, name_of(job.key));
  TRY_ASSIGN(const UaiPlace* const place, place_of(folder_of(job.run), name));
  if (place->folder.is_ufs) return paths;
  const std::string results = results_of(name, place->folder) + "/";
  const auto heeding = place->store->heed(stop);
  TRY(place->store->list(results, [&](const StoredObject& object) {
    if (!object.key.ends_with('/')) paths.push_back(object.key.substr(results.size()));
  }));
  return paths;
}

Result<void> UaiPlatform::settled(const JobHandle& job, RunStatus end,
                                  const std::vector<std::string>& stored) {
  (void)stored;  // what is not is still in the bucket
  const UaiRun run = folder_of(job.run);
  TRY(host_.files.make_folder(run.top));
  TRY(write_file(host_.files, run.settled(), cat(trainmake::name_of(end), "\n")));
  for (const std::string& path : {run.output(), run.output_so_far(), run.checkpoint()})
    TRY(host_.files.remove(path));
  return {};
}

bool UaiPlatform::reads_at_store(const JobSpec& spec) const {
  return data_.is_read_where_it_lies(spec, place_for(count_of(spec.resources, "nodes", 1)));
}

// It is never made: what would be written into another folder of its path, no job there sees.
Result<void> UaiPlatform::check_mounted(const UaiPlace& place) const {
  if (!place.folder.is_ufs) return {};
  TRY_ASSIGN(const Stat there, host_.files.look(options_.ufs_folder, Links::kFollow));
  if (there.is(FileKind::kFolder)) return {};
  return fail(
      user_error(cat("The `ufs_dir` of platform ", quoted(options_.name), ", ", quoted(options_.ufs_folder),
                     ", is no folder here"),
                 cat("Mount ", options_.ufs, " there, or say in TRAINSPACE.lua where it is mounted")));
}

Result<void> UaiPlatform::check_keys() {
  TRY(api_.account());
  return {};
}

Result<void> UaiPlatform::admits(const Outlook& job, Asking asking) {
  TRY_ASSIGN(const std::string node_type, node_type_of(job.resources));
  const std::int64_t nodes = count_of(job.resources, "nodes", 1);
  if (nodes > 1 && !places_.ufs)
    return fail(user_error(cat("Jobs of several nodes read UFS alone on UAI-Train, and platform ",
                               quoted(options_.name), " names none; ", nodes, " were asked for"),
                           "Give it `ufs = \"10.9.1.2:/ufs-abc123\"` and `ufs_dir = \"/mnt/ufs\"`, where "
                           "this machine has it, or "
                           "ask for `nodes = 1` on a larger machine"));
  TRY(distributed_framework(job.distribution, job.resources));
  TRY(hours_of(job.resources, job.timeout_s));
  TRY(check_mounted(place_for(nodes)));
  if (job.image) TRY(uhub_path_of(*job.image, options_));
  if (job.data.size() == 1 && !job.data.front().store.empty())
    TRY(data_.check_readable(job.data.front(), place_for(nodes)));
  if (asking == Asking::kNobody) return {};
  TRY(check_keys());
  if (was_late_) return {};
  std::stop_source late;
  const std::jthread timer([&](const std::stop_token& answered) {
    if (host_.clock.wait(kSoonAnswered, answered)) return;
    was_late_ = true;
    late.request_stop();
  });
  const auto ids = look_ups_.of({node_type, nodes, place_for(nodes).folder.is_ufs}, {late.get_token()});
  // A service that does not answer now may by the time that it is needed.
  if (!ids && ids.error().blame != Blame::kRemote && ids.error().blame != Blame::kInterrupted)
    return fail(ids.error());
  return {};
}

Result<std::vector<Fact>> UaiPlatform::facts(const JobHandle& job, const std::stop_token& stop) {
  const UaiRun run = folder_of(job.run);
  TRY_ASSIGN(const Notes notes, notes_of(run, job.job));
  std::vector<Fact> facts;
  if (notes.number.empty()) return facts;
  TRY_ASSIGN(const std::string name, name_of(job.key));
  TRY_ASSIGN(const UaiSight sight, jobs_.find(notes.number, name, stop));
  const std::optional<UaiJob>& found = sight.job;
  if (!found) return facts;
  if (found->name != name) facts.push_back({"name", found->name});  // somebody gave it another
  if (!found->memo.empty()) facts.push_back({"memo", found->memo});
  facts.push_back({"state", found->state});
  const UCloudParameters which = {{"TrainJobId", found->id}};
  TRY_ASSIGN(const std::string info,
             api_.look_once("GetUAITrainRunningInfo", which, "look at the job", stop));
  if (const auto cents = parse_uai_number(info, "TotalPrice"))
    facts.push_back({"cost", cat(yuan_text(*cents), " yuan")});
  if (found->state == "Doing") {
    const auto board = api_.look_once("GetUAITrainTensorboardUrl", which, "look for TensorBoard", stop);
    if (board) facts.push_back({"tensorboard", parse_uai_text(*board, "TensorboardURL")});
  }
  facts.push_back({found->output_url.starts_with("http") ? "bucket" : "ufs", found->output_url});
  if (!found->log_url.empty()) facts.push_back({"log", found->log_url});
  return facts;
}

}  // namespace trainmake
