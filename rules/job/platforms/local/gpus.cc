#include "rules/job/platforms/local/gpus.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "engine/base/file_lock.h"
#include "engine/base/text.h"
#include "engine/container/unpacked_layers.h"

namespace trainmake {
namespace {

constexpr const char* kProgram = "nvidia-smi";
constexpr std::chrono::seconds kLongestAnswer{15};  // where nothing keeps the driver loaded it takes some

Error too_few(std::uint64_t wanted, const std::string& what_there_is) {
  return user_error(cat("The job asks for ", plural(wanted, "gpu"), ", and ", what_there_is),
                    "Ask for fewer, or choose another platform with `--platform`");
}

std::string path_of_place(const std::string& queue, std::uint64_t number) {
  return path_join(queue, cat("place-", number));
}

// Numbers of the places that are taken, or were by somebody who died.
Result<std::vector<std::uint64_t>> places_in(FileSystem& files, const std::string& queue) {
  constexpr std::string_view kPlace = "place-";
  std::vector<std::uint64_t> numbers;
  TRY_ASSIGN(const std::vector<FolderEntry> entries, files.list(queue));
  for (const FolderEntry& entry : entries) {
    if (!entry.name.starts_with(kPlace)) continue;
    if (const auto number = whole_number<std::uint64_t>(entry.name.substr(kPlace.size())))
      numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// Held for as long as places are looked through or given away, and not while anybody is asked.
Result<FileLock> hold_queue(Host& host, const std::string& queue, const std::stop_token& stop) {
  TRY_ASSIGN(std::optional<FileLock> held,
             wait_for_lock(host, path_join(queue, "lock"), FileLock::Mode::kExclusive, {stop}));
  CHECK(held.has_value());
  return *std::move(held);
}

Error not_answered() {
  return user_error(
             cat(quoted(kProgram), " did not answer in ", kLongestAnswer.count(), " s"),
             cat("Run ", quoted(kProgram), " by hand: where that hangs, the driver is stuck. A job without ",
                 "`gpus` does not ask it; CUDA_VISIBLE_DEVICES in its `env` says which it sees"))
      .because(Blame::kRemote);
}

// What a stuck driver never answers is given up.
Result<ProcessResult> ask(Host& host, const GpuRequest& request, const std::stop_token& stop) {
  std::stop_source given_up;
  auto ran = [&] {
    const std::stop_callback on_stop(stop, [&] { given_up.request_stop(); });
    const std::jthread timer([&](const std::stop_token& answered) {
      if (!host.clock.wait(kLongestAnswer, answered)) given_up.request_stop();
    });
    return host.processes.run({gpu_question(kProgram), {{"PATH", request.path}}, ""}, given_up.get_token());
  }();
  if (stop.stop_requested()) return fail(interrupted_error());
  const bool is_late = !ran && ran.error().blame == Blame::kInterrupted;
  return is_late ? fail(not_answered()) : std::move(ran);
}

bool is_named(const Gpu& gpu, const std::string& name) {
  // CUDA takes the beginning of an id for it.
  return name == cat(gpu.index) || (name.starts_with("GPU-") && gpu.id.starts_with(name));
}

std::string indices_of(const std::vector<Gpu>& gpus) {
  std::vector<std::string> texts;
  for (const Gpu& gpu : gpus) texts.push_back(cat(gpu.index));
  return join(texts, ",");
}

}  // namespace

std::vector<std::string> gpu_question(const std::string& program) {
  return {program, "--query-gpu=index,uuid,memory.used", "--format=csv,noheader,nounits"};
}

std::optional<std::vector<Gpu>> parse_gpus(std::string_view answer) {
  std::vector<Gpu> gpus;
  for (const std::string& line : split(answer, '\n')) {
    if (trim(line).empty()) continue;
    const std::vector<std::string> fields = split(line, ',');
    if (fields.size() != 3) return std::nullopt;
    const auto index = whole_number<int>(trim(fields[0]));
    if (!index) return std::nullopt;
    // Where GPU and processor share their memory it is "[N/A]".
    gpus.push_back(
        {*index, std::string(trim(fields[1])), whole_number<std::uint64_t>(trim(fields[2])).value_or(0)});
  }
  return gpus;
}

std::vector<Gpu> visible_gpus(std::vector<Gpu> all, const std::optional<std::string>& visible) {
  if (!visible) return all;
  std::vector<std::string> names;
  for (const std::string& name : split(*visible, ',')) names.emplace_back(trim(name));
  std::erase_if(all, [&](const Gpu& gpu) {
    return std::none_of(names.begin(), names.end(), [&](const auto& name) { return is_named(gpu, name); });
  });
  return all;
}

std::string gpu_queue_folder(Host& host, const std::string& otherwise) {
  const std::string layers = UnpackedLayers::shared_folder(host.environment);
  const auto name = read_file_if_there(host.files, "/proc/sys/kernel/hostname");
  const std::string machine = name && *name ? std::string(trim(**name)) : "";
  return path_join(layers.empty() ? otherwise : path_folder(layers),
                   cat("gpus/", machine.empty() ? "here" : machine));
}

Result<std::vector<Gpu>> find_gpus(Host& host, const GpuRequest& request, const std::stop_token& stop) {
  const auto ran = ask(host, request, stop);
  if (!ran && (ran.error().blame == Blame::kRemote || ran.error().blame == Blame::kInterrupted))
    return fail(ran.error());
  if (!ran)
    return fail(too_few(request.count, cat("this machine has no `", kProgram, "` that could tell of any")));
  const std::optional<std::vector<Gpu>> all = ran->exit_code == 0 ? parse_gpus(ran->output) : std::nullopt;
  if (!all) {
    const std::string said(trim(ran->output.empty() ? ran->errors : ran->output));
    return fail(too_few(request.count, cat("`", kProgram, "` tells of none: ", printable(said))));
  }
  std::vector<Gpu> gpus = visible_gpus(*all, request.visible);
  if (gpus.size() >= request.count) return gpus;
  return fail(too_few(request.count, gpus.size() == all->size()
                                         ? cat("this machine has ", gpus.size())
                                         : cat("CUDA_VISIBLE_DEVICES leaves ", gpus.size(), " of the ",
                                               all->size(), " here")));
}

std::string HeldGpus::indices() const { return indices_of(gpus); }

std::map<std::string, std::string> variables_of(const std::vector<Gpu>& gpus) {
  // By the bus, as nvidia-smi counts; CUDA would put the fastest first.
  return {{"CUDA_DEVICE_ORDER", "PCI_BUS_ID"}, {"CUDA_VISIBLE_DEVICES", indices_of(gpus)}};
}

std::vector<GpuName> names_of(const std::vector<Gpu>& gpus) {
  std::vector<GpuName> names;
  for (const Gpu& gpu : gpus) names.push_back({std::nullopt, gpu.id, gpu.index});
  return names;
}

std::vector<Gpu> gpus_of_node(const std::vector<Gpu>& all, std::size_t node, std::size_t nodes) {
  const std::size_t each = all.size() / nodes;
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(node * each);
  return {first, first + static_cast<std::ptrdiff_t>(each)};
}

Result<GpuQueue> GpuQueue::enter(Host& host, GpuRequest request, const std::stop_token& stop) {
  TRY_ASSIGN(std::vector<Gpu> all, find_gpus(host, request, stop));
  TRY_ASSIGN(const FileLock held, hold_queue(host, request.queue, stop));
  TRY_ASSIGN(const std::vector<std::uint64_t> taken, places_in(host.files, request.queue));
  const std::uint64_t number = taken.empty() ? 1 : taken.back() + 1;
  TRY_ASSIGN(std::optional<FileLock> place,
             host.files.lock(path_of_place(request.queue, number), FileLock::Mode::kExclusive));
  CHECK(place.has_value());
  return GpuQueue(host, std::move(request), std::move(all), number, *std::move(place));
}

Result<std::size_t> GpuQueue::count_before() const {
  std::size_t count = 0;
  TRY_ASSIGN(const std::vector<std::uint64_t> taken, places_in(host_.files, request_.queue));
  for (const std::uint64_t number : taken) {
    if (number >= number_) break;
    const std::string path = path_of_place(request_.queue, number);
    TRY_ASSIGN(const std::optional<FileLock> dead, host_.files.lock(path, FileLock::Mode::kExclusive));
    if (dead)
      TRY(host_.files.remove(path));
    else
      ++count;
  }
  return count;
}

// Those that nobody of the queue has, should they be enough and nobody before it. While it has its place
// nobody behind it looks at them.
Result<GpuQueue::Free> GpuQueue::hold_free(std::string& why, const std::stop_token& stop) const {
  TRY_ASSIGN(const FileLock held, hold_queue(host_, request_.queue, stop));
  TRY_ASSIGN(const std::size_t before, count_before());
  why = cat("waits for ", plural(request_.count, "gpu"));
  if (before > 0) {
    why += cat(", behind ", plural(before, "other job"));
    return Free();
  }
  Free free;
  for (const Gpu& gpu : all_) {
    TRY_ASSIGN(
        std::optional<FileLock> lock,
        host_.files.lock(path_join(request_.queue, cat("gpu-", gpu.index)), FileLock::Mode::kExclusive));
    if (lock) free.emplace_back(gpu, *std::move(lock));
  }
  if (free.size() >= request_.count) return free;
  why += cat(", of which ", free.size(), free.size() == 1 ? " is" : " are", " free");
  return Free();
}

Result<std::optional<HeldGpus>> GpuQueue::try_take(std::string& why, const std::stop_token& stop) {
  TRY_ASSIGN(Free free, hold_free(why, stop));
  if (free.empty()) return std::optional<HeldGpus>();
  // Others than us may use one: theirs are the last to be taken.
  const auto now = find_gpus(host_, request_, stop);
  if (!now && now.error().blame == Blame::kRemote) {
    why += cat(": ", now.error().message, "; run it by hand: where that hangs, the driver is stuck");
    return std::optional<HeldGpus>();
  }
  if (!now) return fail(now.error());
  const auto used = [&](const Gpu& gpu) {
    const auto found =
        std::find_if(now->begin(), now->end(), [&](const Gpu& each) { return each.index == gpu.index; });
    return found == now->end() ? gpu.used_mib : found->used_mib;
  };
  std::stable_sort(free.begin(), free.end(),
                   [&](const auto& a, const auto& b) { return used(a.first) < used(b.first); });
  free.erase(free.begin() + static_cast<std::ptrdiff_t>(request_.count), free.end());
  std::sort(free.begin(), free.end(),
            [](const auto& a, const auto& b) { return a.first.index < b.first.index; });
  HeldGpus taken;
  for (auto& [gpu, lock] : free) {
    taken.gpus.push_back(gpu);
    taken.locks.push_back(std::move(lock));
  }
  TRY_ASSIGN(const FileLock held, hold_queue(host_, request_.queue, stop));
  TRY(host_.files.remove(path_of_place(request_.queue, number_)));
  return std::optional(std::move(taken));
}

}  // namespace trainmake
