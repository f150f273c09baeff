#include "rules/job/platforms/slurm/slurm_hand_over.h"

#include <algorithm>

#include "engine/base/text.h"
#include "engine/base/tree_size.h"
#include "rules/job/checkpoint.h"
#include "rules/job/contract_layout.h"
#include "rules/job/note_files.h"
#include "rules/job/platforms/slurm/batch_script.h"
#include "rules/job/platforms/slurm/run_traces.h"
#include "rules/job/platforms/slurm/slurm_state.h"
#include "rules/job/platforms/slurm/task_script.h"

namespace trainmake {
namespace {

// Where Slurm did not answer before, or need not.
constexpr std::chrono::seconds kPatienceInDoubt{10};
constexpr std::uint32_t kMineAlone = 0600;
constexpr std::uint32_t kProgram = 0755;

Result<void> check_names(const JobSpec& spec) {
  for (const std::string& name : spec.secrets) {
    if (is_shell_variable(name)) continue;
    return fail(
        user_error(cat("Secret ", quoted(name), " cannot be given to a job of Slurm: a shell reads it, to ",
                       "which this is no variable"),
                   "Name it with letters, digits and `_` alone"));
  }
  return {};
}

// A folder whose end was remembered, under an id that is used again: the memory was lost since, or is a copy.
// A success is taken up while what it left is there. `settled` goes last, so that it can be cut short.
Result<void> drop_settled(FileSystem& files, const SlurmRun& run) {
  TRY_ASSIGN(const std::string settled, text_at(files, run.settled()));
  if (settled.empty()) return {};
  TRY_ASSIGN(const bool has_output, is_there(files, run.output()));
  if (settled == name_of(RunStatus::kSucceeded) && has_output) return {};
  const std::string kept(path_name(run.settled()));
  TRY(remove_others(files, run.top, [&](const std::string& name) { return name == kept; }));
  return files.remove(run.settled());
}

// Neither asked for again, nor waited for: nobody here sees how it goes.
Error given_away(const SbatchAnswer& answer) {
  const std::string cluster = printable(answer.cluster);
  return step_error(cat("Slurm gave the job to another cluster, ", quoted(cluster), ", as number ",
                        answer.number, ", where trainmake does not look for it"),
                    cat("End it: `scancel --clusters=", cluster, " ", answer.number,
                        "`; then see to it that `sbatch` here is told of no cluster"));
}

std::string new_comment() { return cat(kCommentPrefix, random_name().substr(0, 16)); }

}  // namespace

struct SlurmHandOver::Leaving {
  const Submission& asked;
  SlurmRun run = {};
  std::optional<FileLock> lock = {};
  SlurmTraces traces = {};
  std::vector<std::string> options = {};  // of sbatch
  std::optional<Result<std::string>> answer = {};

  const JobSpec& spec() const { return asked.spec; }
  bool goes_on() const { return !answer; }
  OwnJob own_job() const { return own_job_of(traces, spec().key, run.top); }
  // All that are handed over together are asked for by one trainmake; one of them is told what keeps all.
  SlurmPatience patience() const { return {kSlurmPatience, asked.patience.stop, asked.patience.say}; }
  void refuse(Error error) { answer = Result<std::string>(fail(std::move(error))); }
};

std::vector<Result<std::string>> SlurmHandOver::submit(const std::vector<Submission>& jobs) {
  std::vector<Leaving> all;
  for (const Submission& job : jobs) all.push_back(Leaving{job});
  // In one order, so that two who hand over the same runs do not wait for each other.
  std::vector<Leaving*> by_run;
  for (Leaving& one : all) by_run.push_back(&one);
  std::sort(by_run.begin(), by_run.end(),
            [](const Leaving* a, const Leaving* b) { return a->spec().run < b->spec().run; });
  for (Leaving* one : by_run) {
    if (auto begun = begin(*one); !begun) one->refuse(std::move(begun).error());
  }
  adopt(all);
  lay_out(all);
  give_tickets(all);
  std::map<std::pair<std::string, std::vector<std::string>>, Group> groups;
  for (Leaving& one : all) {
    if (!one.goes_on()) continue;
    // By itself it has a name of its own.
    const SlurmTicket& ticket = one.traces.ticket;
    groups[{ticket.element.empty() ? one.spec().key : ticket.comment, one.options}].push_back(&one);
  }
  for (const auto& [what, group] : groups) call(group);
  std::vector<Result<std::string>> answers;
  for (Leaving& one : all) answers.push_back(*std::move(one.answer));
  return answers;
}

Result<void> SlurmHandOver::begin(Leaving& one) {
  TRY(check_names(one.spec()));
  TRY(shared_.make_home());
  TRY_ASSIGN(std::string folder, shared_.run_folder(one.spec().run));
  one.run = SlurmRun{std::move(folder)};
  auto lock = locks_.wait(one.spec().run, host_.clock, one.asked.patience.stop);
  if (!lock) return fail(not_told(std::move(lock).error()));
  one.lock = *std::move(lock);
  if (auto dropped = drop_settled(host_.files, one.run); !dropped)
    return fail(not_told(std::move(dropped).error()));
  auto traces = traces_of(host_.files, one.run);
  if (!traces) return fail(not_told(std::move(traces).error()));
  one.traces = *std::move(traces);
  if (!one.traces.owner.empty()) one.answer = one.traces.owner;
  return {};
}

// With a ticket, a job may be in Slurm whose number nobody wrote down.
void SlurmHandOver::adopt(std::vector<Leaving>& all) {
  std::set<std::string> names;
  for (const Leaving& one : all) {
    if (one.goes_on() && !one.traces.ticket.comment.empty())
      names.insert(one.traces.ticket.name(one.spec().key));
  }
  if (names.empty()) return;
  auto jobs = queue_.named_now({names.begin(), names.end()}, all.front().patience());
  for (Leaving& one : all) {
    if (!one.goes_on() || one.traces.ticket.comment.empty()) continue;
    if (!jobs) {
      one.refuse(jobs.error());
      continue;
    }
    const OwnJob own = one.own_job();
    if (auto seen = queue_.see_folders(own, *jobs, one.patience()); !seen) {
      one.refuse(not_told(std::move(seen).error()));
      continue;
    }
    const SlurmJob* job = job_of(own, *jobs);
    if (job == nullptr) {
      if (auto gone = check_is_gone(one); !gone) one.refuse(std::move(gone).error());
      continue;
    }
    const auto written = write_file(host_.files, one.run.number(), cat(job->number, "\n"));
    if (written)
      one.answer = job->number;
    else
      one.refuse(not_told(written.error()));
  }
}

// One that had a number was there once.
Result<void> SlurmHandOver::check_is_gone(const Leaving& one) {
  if (one.traces.number.empty()) return {};
  TRY_ASSIGN(const bool gone, queue_.is_gone(one.own_job(), one.patience()));
  if (gone) return {};
  return fail(not_told(step_error(cat("Slurm does not tell whether it has job ", one.traces.number, " still"),
                                  "Run it again in some seconds")));
}

void SlurmHandOver::lay_out(std::vector<Leaving>& all) {
  if (std::none_of(all.begin(), all.end(), [](const Leaving& one) { return one.goes_on(); })) return;
  const auto held = shared_.hold();
  for (Leaving& one : all) {
    if (!one.goes_on()) continue;
    auto laid = held ? lay_out(one) : Result<void>(fail(held.error()));
    if (!laid && laid.error().blame == Blame::kInterrupted) tell_not_started(one.asked.patience.say);
    if (!laid) one.refuse(std::move(laid).error());
  }
}

Result<void> SlurmHandOver::lay_out(Leaving& one) {
  FileSystem& files = host_.files;
  const JobSpec& spec = one.spec();
  const SlurmRun& run = one.run;
  BatchJob job{spec, options_, contract_, run, {}, "", ""};
  TRY_ASSIGN(const std::string checkpoints, shared_.home("checkpoints"));
  job.folders = {run.code(),       run.data(), run.output(), path_join(checkpoints, spec.checkpoint),
                 run.log_folder(), run.home(), run.params()};
  job.most_minutes = most_minutes_for(spec);
  TRY_ASSIGN(one.options, render_options(job));
  const Patience& patience = one.asked.patience;
  TRY(place(job, patience));
  // Without a ticket no job was asked for that could have it.
  if (one.traces.ticket.comment.empty()) TRY(set_aside_checkpoint(files, job.folders.checkpoint));
  TRY(shared_.place_checkpoint(spec, job.folders.checkpoint, patience));
  TRY(files.remove(run.checkpoint()));
  TRY(files.make_link(job.folders.checkpoint, run.checkpoint()));
  TRY(write_file(files, run.command(), render_command(job)));
  const bool has_processes = task_layout(spec).is_started_by_srun;
  if (has_processes) {
    TRY(write_file(files, run.task(), render_task(job)));
    TRY(write_file(files, run.names(), render_names(job)));
  }
  if (spec.resumed && spec.resumed->files)
    TRY(write_file(files, run.sums(), render_sums(*spec.resumed->files)));
  if (is_to_be_seen(job)) TRY(lay_out_seen(job));
  if (takes_ports(spec)) TRY(files.make_folder(ports_folder(options_.shared_dir)));
  TRY(write_file(files, run.script(), render_script(job), {.mode = kProgram}));
  if (!one.asked.secrets.empty())
    TRY(write_file(files, run.secrets(), render_secrets(one.asked.secrets), {.mode = kMineAlone}));
  return {};
}

Result<void> SlurmHandOver::lay_out_seen(const BatchJob& job) {
  FileSystem& files = host_.files;
  const BatchJob seen = as_seen(job);
  TRY(shared_.make_seen_checkpoint());
  TRY(files.make_folder(job.run.seen()));
  TRY(write_file(files, job.run.view(), render_view(job)));
  TRY(write_file(files, job.run.seen_params(), params_json(job.spec.params, seen.folders)));
  if (task_layout(job.spec).is_started_by_srun)
    TRY(write_file(files, job.run.seen_task(), render_task(seen)));
  return write_file(files, job.run.seen_command(), render_command(seen));
}

// What it needs and others may share, and which of it that is.
Result<void> SlurmHandOver::place(BatchJob& job, const Patience& patience) {
  FileSystem& files = host_.files;
  const JobSpec& spec = job.spec;
  const ContractLayout layout = layout_below(contract_, spec, job.folders, job.run.places());
  if (spec.code) TRY(check_code(layout, *spec.code, job.folders.code));
  const bool has_code = !options_.container || container_layout(job).has_own_code;
  if (spec.code && has_code) {
    TRY_ASSIGN(job.code, shared_.place_code(*spec.code, patience));
  }
  if (spec.data.empty()) {
    TRY(files.make_folder(job.run.data()));
  } else {
    TRY_ASSIGN(job.folders.data, shared_.place_data(spec.data,
                                                    options_.container ? SharedFiles::Seen::kInContainer
                                                                       : SharedFiles::Seen::kWhereItLies,
                                                    patience));
  }
  std::string uses = cat(path_name(job.code), "\n", path_name(job.folders.data), "\n");
  if (needs_program(options_, spec)) {
    TRY_ASSIGN(job.program, shared_.place_program(program_));
    uses += cat(path_name(job.program), "\n");
  }
  if (!options_.container) {
    TRY(write_file(files, job.run.uses(), uses));
    return write_file(files, job.run.params(), params_json(spec.params, layout.folders));
  }
  for (const std::string& layer : spec.root->layers) uses += cat(layer, "\n");
  TRY(write_file(files, job.run.uses(), uses));
  TRY(write_file(files, job.run.params(), params_json(spec.params, container_layout(job).folders)));
  TRY(write_file(files, job.run.order(), render(node_order(job, {}))));
  if (!task_layout(spec).has_servers) return {};
  return write_file(files, job.run.server_order(), render(node_order(job, {.has_gpus = false})));
}

void SlurmHandOver::give_tickets(std::vector<Leaving>& all) {
  std::map<std::pair<bool, std::vector<std::string>>, Group> alike;
  for (Leaving& one : all) {
    const bool uses_srun = task_layout(one.spec()).is_started_by_srun;
    if (one.goes_on() && one.traces.ticket.comment.empty()) alike[{uses_srun, one.options}].push_back(&one);
  }
  for (const auto& [options, group] : alike) give_tickets(group);
}

// Written down before Slurm hears of it, and by whoever comes first: another trainmake may have begun it.
void SlurmHandOver::give_tickets(const Group& alike) {
  const std::size_t most =
      alike.size() < 2 ? 1 : std::max<std::size_t>(array_limit(alike.front()->patience()), 1);
  for (std::size_t first = 0; first < alike.size(); first += most) {
    const std::size_t count = std::min(most, alike.size() - first);
    const std::string comment = new_comment();
    for (std::size_t i = 0; i < count; ++i) {
      Leaving& one = *alike[first + i];
      const SlurmTicket ticket{count > 1 ? comment : new_comment(), count > 1 ? cat(i + 1) : ""};
      auto text = write_once(host_.files, one.run.ticket(), ticket.text());
      if (text)
        one.traces.ticket = SlurmTicket::of(*text);
      else
        one.refuse(std::move(text).error());
    }
  }
}

std::size_t SlurmHandOver::array_limit(SlurmPatience patience) {
  patience.most = kPatienceInDoubt;
  const std::lock_guard lock(mutex_);
  if (!array_limit_) {
    const auto told = commands_.run({"scontrol", "show", "config"}, patience);
    array_limit_ = parse_array_limit(told && told->exit_code == 0 ? told->output : "");
  }
  return static_cast<std::size_t>(*array_limit_);
}

// A quality of service may go beyond it.
std::optional<std::int64_t> SlurmHandOver::most_minutes_for(const JobSpec& spec) {
  if (spec.timeout_s <= 0 || !options_.qos.empty()) return std::nullopt;
  return most_minutes(partitions_.all(), {options_.partition, nodes_of(spec), spec.timeout_s});
}

Result<std::vector<std::string>> SlurmHandOver::words_for(const Group& group) {
  const Leaving& first = *group.front();
  const SlurmTicket& ticket = first.traces.ticket;
  if (ticket.element.empty())
    return render_sbatch(BatchJob{first.spec(), options_, contract_, first.run, {}, "", ticket.comment},
                         first.options);
  TRY_ASSIGN(const std::string home, shared_.home("arrays"));
  const std::string name = ticket.name(first.spec().key);
  BatchArray array{
      name, ticket.comment, path_join(home, name), {}, task_layout(first.spec()).is_started_by_srun};
  TRY(host_.files.make_folder(array.folder));
  for (const Leaving* one : group) {
    const std::string& element = one->traces.ticket.element;
    const std::string link = path_join(array.folder, element);
    TRY_ASSIGN(const bool there, is_there(host_.files, link));
    if (!there) TRY(host_.files.make_link(one->run.top, link));
    array.elements.push_back(whole_number<std::int64_t>(element).value_or(0));
  }
  std::sort(array.elements.begin(), array.elements.end());
  TRY(write_file(host_.files, array_script(array.folder), render_array_script(array.folder),
                 {.mode = kProgram}));
  return render_sbatch(array, first.options);
}

// One sbatch for all of them.
void SlurmHandOver::call(const Group& group) {
  const auto words = words_for(group);
  SlurmPatience patience = group.front()->patience();
  const auto number = words ? call_sbatch(*words, patience) : Result<std::string>(fail(words.error()));
  const std::string name = group.front()->traces.ticket.name(group.front()->spec().key);
  std::vector<SlurmJob> jobs;
  // An answer that was lost is no refusal.
  if (!number && words && number.error().blame != Blame::kInterrupted) {
    patience.most = kPatienceInDoubt;
    if (auto found = queue_.named_now({name}, patience)) jobs = *std::move(found);
  }
  queue_.forget(name);
  for (Leaving* one : group) {
    const SlurmTicket& ticket = one->traces.ticket;
    if (!number) (void)queue_.see_folders(one->own_job(), jobs, patience);
    const SlurmJob* job = number ? nullptr : job_of(one->own_job(), jobs);
    if (number)
      one->answer = ticket.element.empty() ? *number : cat(*number, "_", ticket.element);
    else if (job != nullptr)
      one->answer = job->number;
    else
      one->refuse(number.error());
    // Should this fail, it is found by its name.
    if (*one->answer) (void)write_file(host_.files, one->run.number(), cat(**one->answer, "\n"));
    const Blame blame = *one->answer ? Blame::kRemote : one->answer->error().blame;
    if (blame != Blame::kRemote && blame != Blame::kInterrupted) (void)host_.files.remove(one->run.secrets());
  }
}

Result<std::string> SlurmHandOver::call_sbatch(const std::vector<std::string>& words,
                                               const SlurmPatience& patience) {
  auto told = commands_.run(words, patience);
  if (told && told->exit_code == 0) {
    const std::optional<SbatchAnswer> answer = parse_sbatch(told->output);
    if (answer && !answer->cluster.empty()) return fail(given_away(*answer));
    if (answer) return answer->number;
  }
  if (!told && told.error().blame != Blame::kRemote) return fail(std::move(told).error());
  const std::string complaint = told ? complaint_of(told->errors) : told.error().message;
  const bool refused = told && told->exit_code != 0 && told->exit_code < 128 && !leaves_open(complaint);
  Error error = step_error(
      cat("Slurm did not take the job: ", printable(complaint)),
      refused
          ? "What is asked for stands in the job's `resources` and in the platform in TRAINSPACE.lua"
          : "`scontrol ping` tells whether Slurm is well. Run it again then: should it have gone through, it "
            "is found");
  return fail(refused ? std::move(error) : not_told(std::move(error)));
}

}  // namespace trainmake
