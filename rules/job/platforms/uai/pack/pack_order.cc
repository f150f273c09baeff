#include "rules/job/platforms/uai/pack/pack_order.h"

#include <algorithm>
#include <span>

#include "cache/shared_root.h"
#include "engine/base/shell_words.h"
#include "engine/base/text.h"
#include "rules/job/arguments.h"
#include "rules/job/contracts.h"
#include "rules/job/platforms/uai/uai_options.h"
#include "rules/job/platforms/uai/uai_request.h"
#include "rules/job/platforms/uai/uhub.h"
#include "rules/job/published_base.h"

namespace trainmake {
namespace {

constexpr const char* kTag = "uaitrain";  // as the tools have it when none is given
constexpr const char* kUntoldOfJob[] = {"command", "env", "secrets"};
constexpr const char* kUntoldOfImage[] = {"inputs",  "dockerfile", "secrets", "env",
                                          "workdir", "entrypoint", "cmd",     "user"};

Result<void> refuse_untold(const Target& target, std::span<const char* const> attributes) {
  for (const char* attribute : attributes) {
    if (target.find(attribute) == nullptr) continue;
    return fail(user_error(cat("UAI-Train's own tools have no word for ", quoted(attribute), " of ",
                               quoted(cat(target.label.kind, ":", target.label.name))),
                           "trainmake runs it there itself; to export it, leave that out")
                    .at(target.place_of(attribute)));
  }
  return {};
}

std::vector<const Target*> needed_by(const Graph& graph, const Target& target, std::string_view attribute) {
  std::vector<const Target*> needed;
  for (const Dependency& need : target.needs) {
    if (need.attribute == attribute) needed.push_back(&graph[need.target]);
  }
  return needed;
}

// `./code/`, from the folder of `project`. A `root` there is what people typed to the tools, as they did.
Result<std::string> folder_of(const Target& target, const Value& files, const std::string& project) {
  std::string root = target.string_or("root", "");
  const bool is_typed = target.find("root") != nullptr && !path_clean(root).value_or("").empty();
  if (is_typed && target.label.folder == project) return root;
  root = path_clean(root).value_or(root);
  if (target.find("root") == nullptr) {
    TRY_ASSIGN(root, shared_root(files));
  }
  const std::optional<std::string> folder = path_below(path_join(target.label.folder, root), project);
  if (!folder)
    return fail(user_error(cat("The files of ", quoted(target.label.text()),
                               " lie outside of the job's project, which is all that the tools see"),
                           "Declare the job in the project of its code")
                    .at(target.where));
  return folder->empty() ? std::string("./") : cat("./", *folder, "/");
}

Result<const Target*> code_of(const Graph& graph, const Target& image) {
  const std::vector<const Target*> code = needed_by(graph, image, "code");
  if (code.size() != 1)
    return fail(user_error(cat("UAI-Train's own tools pack one folder of code, and ",
                               quoted(cat("image:", image.label.name)), " has ",
                               code.empty() ? "none" : cat(code.size(), " code targets")),
                           code.empty() ? "Give it `code = \"code:...\"`"
                                        : "Make one code target of them, with a `root` that holds both")
                    .at(image.place_of("code")));
  constexpr const char* kUntoldOfCode[] = {"dest"};
  TRY(refuse_untold(*code.front(), kUntoldOfCode));
  return code.front();
}

std::string at_host(const std::string& base, const std::string& host) {
  const std::size_t slash = base.find('/');
  const bool moves = slash != base.npos && is_uhub(std::string_view(base).substr(0, slash));
  return moves ? cat(host, base.substr(slash)) : base;
}

// The tools asked for an image for processors in any case, and it is called as the other one is.
void take_cpu_base(PackOrder& order) {
  if (!order.cpu_base.empty() || !parse_published_base(order.gpu_base)) return;
  order.cpu_base = order.gpu_base;
  order.cpu_base.replace(order.cpu_base.rfind('/') + 1, 3, "cpu");
  order.left_out.push_back(cat("whether UCloud has ", quoted(order.cpu_base),
                               ", which TRAINFILE.lua does not name: it is what the tools would ask for"));
}

Result<void> take_layers(const Target& image, const std::string& project, PackOrder& order) {
  const Value* layers = image.find("files");
  if (layers == nullptr) return {};
  for (const Value& layer : layers->table()->items) {
    TRY_ASSIGN(const std::string from, folder_of(image, *layer.table()->find("srcs"), project));
    order.folders.push_back({from, *layer.table()->find("dest")->string()});
  }
  return {};
}

Result<void> take_bases(const Graph& graph, const Target& image, PackOrder& order) {
  const Value* base = image.find("base");
  const auto refuse = [&](const char* why, std::string hint) {
    return fail(user_error(cat(quoted(cat("image:", image.label.name)), " ", why), std::move(hint))
                    .at(image.place_of("base")));
  };
  constexpr const char* kHint = "Give it `base = uai.base { arch = \"caffe-1.0.0\" }`, or a reference";
  if (base == nullptr) return refuse("has no `base`", kHint);
  if (!needed_by(graph, image, "base").empty())
    return refuse("is built on another image of this workspace, and the tools take what a registry has",
                  "Name that one as its registry has it");
  const std::vector<std::string> chosen = image.strings("variants");
  const auto take = [&](const std::string& variant, const std::string& reference) {
    const bool is_wanted = variant == "cpu" || chosen != std::vector<std::string>{"cpu"};
    if (is_wanted) (variant == "cpu" ? order.cpu_base : order.gpu_base) = at_host(reference, order.host);
  };
  if (const std::string* one = base->string()) {
    const std::optional<PublishedBase> published = parse_published_base(*one);
    if (*one == "scratch")
      return refuse("is built on nothing", cat(kHint, "; with `select`, choose with `--platform NAME`"));
    take(published ? published->accelerator : "gpu", *one);
  } else {
    for (const char* variant : {"gpu", "cpu"}) {
      if (const Value* reference = base->table()->find(variant)) take(variant, *reference->string());
    }
  }
  if (order.gpu_base.empty() && order.cpu_base.empty())
    return refuse("has no variant `gpu` or `cpu`, and the tools know these alone", kHint);
  take_cpu_base(order);
  return {};
}

// A line is all that a command of the tools has.
Result<void> refuse_lines(const Target& job, const char* attribute, std::string_view text) {
  if (text.find_first_of("\n\r") == text.npos) return {};
  return fail(user_error(cat("A line of `uaitrain_cmd.txt` is a command, and ", quoted(attribute),
                             " has a line's end in a word"),
                         "trainmake runs it there itself; to export it, leave that out")
                  .at(job.place_of(attribute)));
}

// As it is typed, but that it is one line.
Result<std::string> typed_params(const Target& job) {
  std::string typed = job.string_or("train_params", "");
  if (typed.find_first_of("\n\r") == typed.npos) return typed;
  TRY_ASSIGN(const std::vector<std::string> words, typed_arguments(job));
  return shell_line(words);
}

// All that the tools call train_params: arguments of a name first, then what is typed.
Result<void> take_arguments(const Target& job, const Contract& contract, PackOrder& order) {
  const Folders folders = folders_of_uai(contract);
  std::vector<std::string> words;
  const auto add = [&](const Fields& fields) {
    for (const auto& [name, value] : fields) add_flag(contract.arguments, name, value, folders, words);
  };
  add(job.fields("args"));
  add(job.fields("params"));
  order.train_params = shell_line(words);
  TRY(refuse_lines(job, job.find("args") != nullptr ? "args" : "params", order.train_params));
  TRY_ASSIGN(const std::string typed, typed_params(job));
  TRY(refuse_lines(job, "train_params", typed));
  if (!typed.empty()) order.train_params += cat(order.train_params.empty() ? "" : " ", typed);
  const auto word_of = [&](const char* attribute) {
    const Value* value = job.find(attribute);
    return value == nullptr ? std::string() : word_text(*value, folders);
  };
  order.solver = word_of("solver");
  order.snapshot = word_of("snapshot");
  TRY(refuse_lines(job, "solver", order.solver));
  return refuse_lines(job, "snapshot", order.snapshot);
}

// Where below /data/data a job finds the files of a target; "" is that folder itself.
std::string place_in_data(const Target& data, const std::string& channel) {
  return path_clean(path_join(channel, data.string_or("dest", ""))).value_or("");
}

Result<void> take_places(const Graph& graph, const Target& job, const PackPlaces& places, PackOrder& order) {
  order.test_data = places.test_data;
  order.test_output = places.test_output.empty() ? path_join(places.project, "output") : places.test_output;
  std::vector<const Target*> data;
  std::vector<std::string> below;  // /data/data
  for (const Dependency& need : job.needs) {
    if (need.attribute != "data") continue;
    data.push_back(&graph[need.target]);
    const std::string place = place_in_data(*data.back(), need.channel);
    if (!place.empty()) below.push_back(cat("`", place, "/`"));
    if (data.back()->find("split") != nullptr)
      order.left_out.push_back(cat("`split` of ", quoted(cat("data:", data.back()->label.name)),
                                   ": the bucket has parts, and the local test has whole files"));
  }
  if (!order.test_data.empty()) {
    if (!below.empty())
      order.left_out.push_back(cat("that the job looks for ", join(below, ", "),
                                   " in its data: the folder of `--test-data`, and the one that the console "
                                   "is told, have to hold that"));
    return {};
  }
  if (!below.empty())
    return fail(user_error(cat("The job looks for ", join(below, ", "),
                               " in its data, and the folder that the local test would be given has none"),
                           "Name one that has, with `--test-data PATH`: it becomes /data/data")
                    .at(job.place_of("data")));
  if (data.size() != 1 || data.front()->find("files") == nullptr)
    return fail(user_error("It is not known where data for the local test lies",
                           "Say it with `--test-data PATH`: the folder that becomes /data/data")
                    .at(job.place_of("data")));
  TRY_ASSIGN(const std::string folder,
             folder_of(*data.front(), *data.front()->find("files"), job.label.folder));
  order.test_data = path_join(places.project, path_clean(folder).value_or(""));
  while (order.test_data.ends_with('/')) order.test_data.pop_back();
  return {};
}

// What the tools were not asked and the console is, or nobody.
void tell_left_out(const Target& job, const Target& image, PackOrder& order) {
  const std::vector<std::string> tags = image.strings("tags");
  for (std::size_t i = 1; i < tags.size(); ++i)
    order.left_out.push_back(
        cat("the tag ", quoted(tags[i]), ": the tools give an image one, ", quoted(order.tag)));
  for (const char* attribute : {"labels", "architecture", "push_cpu", "registry"}) {
    if (image.find(attribute) != nullptr)
      order.left_out.push_back(cat(quoted(attribute), " of ", quoted(cat("image:", image.label.name))));
  }
  const Value* resources = job.find("resources");
  const std::int64_t nodes = resources == nullptr ? 1 : count_of(*resources->table(), "nodes", 1);
  if (nodes > 1) order.left_out.push_back(cat("`nodes = ", nodes, "`, which the console asks for"));
  if (job.find("distribution") != nullptr)
    order.left_out.emplace_back("`distribution`: the console asks which framework distributes a job");
  if (job.find("resume") != nullptr)
    order.left_out.emplace_back(
        "`resume`: a job goes on from what lies in the output path that the console is told");
}

}  // namespace

Result<PackOrder> pack_order_of(const Graph& graph, const Target& job, const Service& platform,
                                const PackPlaces& places) {
  TRY(refuse_untold(job, kUntoldOfJob));
  const std::vector<const Target*> images = needed_by(graph, job, "image");
  CHECK(images.size() == 1);
  const Target& image = *images.front();
  TRY(refuse_untold(image, kUntoldOfImage));
  TRY_ASSIGN(const Target* code, code_of(graph, image));
  TRY_ASSIGN(const UaiOptions options, uai_options_of(platform, ""));
  TRY_ASSIGN(const Contract contract, contract_named(Space(), "uai"));

  PackOrder order;
  order.host = options.uhub_host;
  const std::string* registry = platform.text("registry");
  if (registry == nullptr || registry->empty())
    return fail(user_error(cat("Platform ", quoted(platform.name), " does not say where images go"),
                           "Give it `registry = \"...\"`: your repository of UHub")
                    .at(platform.where));
  order.registry = *registry;
  order.image = path_join(image.label.folder, image.label.name);
  std::replace(order.image.begin(), order.image.end(), '/', '-');
  const std::vector<std::string> tags = image.strings("tags");
  order.tag = tags.empty() ? kTag : tags.front();
  tell_left_out(job, image, order);
  order.run = image.strings("run");
  order.main = job.string_or("main", code->string_or("main", ""));
  if (order.main.empty())
    return fail(user_error(cat("Neither ", quoted(cat("job:", job.label.name)), " nor its code has a `main`"),
                           cat("Give ", quoted(cat("code:", code->label.name)), " `main = \"train.py\"`"))
                    .at(code->where));
  TRY_ASSIGN(order.code_path, folder_of(*code, *code->find("srcs"), job.label.folder));
  TRY(take_layers(image, job.label.folder, order));
  TRY(check_arguments_said_once(job));
  TRY(take_arguments(job, contract, order));
  order.framework = framework_of(graph, job);
  TRY(take_bases(graph, image, order));
  if (order.framework == kCaffe && order.solver.empty())
    return fail(
        user_error("The tool of caffe starts nothing without a solver",
                   "Give the job `solver = data_dir \"solver.prototxt\"`, beside `args` and not in it")
            .at(job.where));
  TRY(take_places(graph, job, places, order));
  return order;
}

}  // namespace trainmake
