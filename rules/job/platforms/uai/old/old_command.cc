// A command line of the pack tools, as Python's argparse reads it: `--name value` or `--name=value`.
#include <algorithm>
#include <functional>

#include "engine/base/file_system.h"
#include "engine/base/shell_words.h"
#include "engine/base/text.h"
#include "engine/base/url.h"
#include "rules/job/platforms/uai/old/old_words.h"
#include "rules/job/platforms/uai/uhub.h"

namespace trainmake {
namespace {

constexpr std::string_view kTools[] = {"base_tool.py", "caffe_tool.py",   "keras_tool.py", "mxnet_tool.py",
                                       "tf_tool.py",   "pytorch_tool.py", "tf_deploy.py"};

// A text goes where it belongs as it is.
struct TextFlag {
  std::string_view name;
  std::string OldProject::*into;
};
constexpr TextFlag kTexts[] = {
    {"project_id", &OldProject::project_id},
    {"region", &OldProject::region},
    {"zone", &OldProject::zone},
    {"os", &OldProject::os},
    {"python_version", &OldProject::python},
    {"ai_arch_v", &OldProject::arch},
    {"uhub_registry", &OldProject::registry},
    {"uhub_imagename", &OldProject::name},
    {"uhub_imagetag", &OldProject::tag},
    {"code_path", &OldProject::code},
    {"mainfile_path", &OldProject::main},
    {"train_params", &OldProject::train_params},
    {"test_data_path", &OldProject::data},
    {"solver", &OldProject::solver},
    {"snapshot", &OldProject::snapshot},
    {"self_img", &OldProject::gpu_base},
    {"job_name", &OldProject::name},
    {"job_memo", &OldProject::memo},
    {"node_type", &OldProject::node_type},
    {"business_group", &OldProject::business_group},
    {"data_ufs_mount_point", &OldProject::ufs},
    {"data_ufs_path", &OldProject::ufs_data},
};
constexpr std::string_view kOthers[] = {
    "public_key",       "private_key",       "uhub_username",   "uhub_password",
    "acc_type",         "internal_uhub",     "code_uhub_path",  "docker_cmd",
    "max_exec_time",    "node_num",          "dist_ai_frame",   "data_ufile_path",
    "test_output_path", "output_ufile_path", "output_ufs_path", "output_ufs_mount_point"};

// The tools know a flag by any beginning that no other has.
std::string whole_name(const std::string& typed) {
  std::vector<std::string_view> meant;
  const auto consider = [&](std::string_view name) {
    if (name.starts_with(typed)) meant.push_back(name);
    return name == typed;
  };
  for (const TextFlag& flag : kTexts) {
    if (consider(flag.name)) return typed;
  }
  for (const std::string_view name : kOthers) {
    if (consider(name)) return typed;
  }
  return meant.size() == 1 ? std::string(meant.front()) : typed;
}

struct Flag {
  std::string name, value;
};

Result<std::vector<Flag>> flags_of(const std::vector<std::string>& words, std::size_t at) {
  std::vector<Flag> flags;
  for (; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (!word.starts_with("--") || word.size() < 3)
      return fail(user_error(cat("The tool takes flags alone, and word ", at + 1, " is none"),
                             "Values with blanks are in quotation marks, and the whole command in '...'"));
    const std::size_t equals = word.find('=');
    Flag flag{word.substr(2, equals == word.npos ? word.npos : equals - 2), ""};
    if (equals != word.npos) {
      flag.value = word.substr(equals + 1);
    } else if (at + 1 == words.size()) {
      return fail(user_error(cat("Flag ", quoted(word), " has no value")));
    } else {
      flag.value = words[++at];
    }
    flag.name = whole_name(flag.name);
    flags.push_back(std::move(flag));
  }
  return flags;
}

// `cn-gd`, and `internal-cn-gd-02` within UCloud's network.
std::string storage_region_of(std::string_view label) {
  constexpr std::string_view kInternal = "internal-";
  if (!label.starts_with(kInternal)) return std::string(label);
  label.remove_prefix(kInternal.size());
  const std::size_t dash = label.rfind('-');
  const bool numbered = dash != label.npos && whole_number<int>(label.substr(dash + 1));
  return std::string(label.substr(0, numbered ? dash : label.npos));
}

struct BucketPlace {
  OldProject::Bucket bucket;
  std::string path;
};

// `http://bucket.cn-bj.ufileos.com/mnist/data/`, and of old `http://bucket.ufile.ucloud.com.cn/mnist/data/`.
std::optional<BucketPlace> place_at(const std::string& url, const char* what, OldProject& project) {
  const std::string host(host_of(url));
  const std::vector<std::string> parts = split(host, '.');
  BucketPlace place{{parts[0], ""}, url.substr(std::min(url.size(), url.find('/', url.find(host)) + 1))};
  while (place.path.ends_with('/')) place.path.pop_back();
  constexpr std::string_view kOfOld = ".ufile.ucloud.com.cn";
  if (parts.size() == 4 && host.ends_with(".ufileos.com")) {
    place.bucket.region = storage_region_of(parts[1]);
  } else if (host.ends_with(kOfOld) && parts.size() == 5) {
    project.lost.push_back(cat("where bucket ", quoted(parts[0]),
                               " is, which its address does not say: TRAINSPACE.lua says it as `store "
                               "\"bucket\" { url = \"ufile://",
                               parts[0], "\", region = \"cn-bj\" }`"));
  } else {
    project.lost.push_back(
        cat(what, " lay at ", quoted(without_query(url)), ", which is no folder of UFile"));
    return std::nullopt;
  }
  return place;
}

void take_data_url(const std::string& url, OldProject& project) {
  const std::optional<BucketPlace> place = place_at(url, "data", project);
  if (!place) return;
  project.bucket = place->bucket;
  project.data_prefix = place->path;
}

// Where in a bucket results lie is trainmake's.
void take_output_url(const std::string& url, OldProject& project) {
  project.lost.emplace_back(
      "the folder of `--output_ufile_path`: `trainmake pull RUN --all` brings what a job left");
  if (const auto place = place_at(url, "results", project)) project.output_bucket = place->bucket;
}

// `HOST/REGISTRY/NAME:TAG`
void take_packed_image(const std::string& image, OldProject& project) {
  project.packed_image = image;
  const std::vector<std::string> parts = split(image, '/');
  if (parts.size() != 3) return;
  project.internal_uhub = parts[0] == kUhubInside;
  project.registry = parts[1];
}

// Which framework of the service lays a job's processes out.
void take_framework(const std::string& name, OldProject& project) {
  constexpr std::pair<std::string_view, std::string_view> kKnown[] = {
      {"tensorflow", "tf_config"}, {"mxnet", "dmlc"}, {"pytorch", "torchrun"}};
  const auto known = std::find_if(std::begin(kKnown), std::end(kKnown),
                                  [&](const auto& each) { return each.first == name; });
  if (known != std::end(kKnown))
    project.distribution = known->second;
  else
    project.lost.push_back(
        cat("`--dist_ai_frame`, ", quoted(name), ": a job of several nodes has a `distribution`"));
}

Result<std::int64_t> number_of(const Flag& flag) {
  const auto number = whole_number<std::int64_t>(flag.value);
  if (number && *number > 0) return *number;
  return fail(user_error(
      cat("Flag ", quoted(cat("--", flag.name)), " takes a number from 1, got ", quoted(flag.value))));
}

// `<YOUR_BUCKET>`, as manuals have it.
bool is_blank_to_fill(std::string_view value) {
  return value.size() > 2 && value.starts_with('<') && value.ends_with('>');
}

Result<void> take(const Flag& flag, OldProject& project) {
  const auto text = std::find_if(std::begin(kTexts), std::end(kTexts),
                                 [&](const TextFlag& known) { return known.name == flag.name; });
  if (is_credential(flag.name) || flag.name == "uhub_username") {
    project.credentials.emplace_back(cat("--", flag.name), flag.value);
  } else if (is_blank_to_fill(flag.value)) {
    project.lost.push_back(cat("`--", flag.name, "`, which stands there as a blank to fill in"));
  } else if (text != std::end(kTexts)) {
    project.*(text->into) = flag.value;
  } else if (flag.name == "acc_type") {
    project.cpu_alone = flag.value == "cpu";
  } else if (flag.name == "internal_uhub") {
    project.internal_uhub = flag.value == "true";
  } else if (flag.name == "code_uhub_path") {
    take_packed_image(flag.value, project);
  } else if (flag.name == "docker_cmd") {
    if (auto taken = take_docker_cmd(flag.value, project); !taken) {
      Error error = std::move(taken).error();
      error.message = cat("`--docker_cmd` cannot be read: ", error.message);
      return fail(std::move(error));
    }
  } else if (flag.name == "max_exec_time") {
    TRY_ASSIGN(project.hours, number_of(flag));
  } else if (flag.name == "node_num") {
    TRY_ASSIGN(project.nodes, number_of(flag));
  } else if (flag.name == "data_ufile_path") {
    take_data_url(flag.value, project);
  } else if (flag.name == "output_ufile_path") {
    take_output_url(flag.value, project);
  } else if (flag.name == "test_output_path") {
    project.lost.emplace_back(
        "`--test_output_path`: `trainmake pull` brings the outputs that a job declares");
  } else if (flag.name == "dist_ai_frame") {
    take_framework(flag.value, project);
  } else if (flag.name == "output_ufs_path") {
    project.lost.emplace_back(
        "the folder of `--output_ufs_path`: `trainmake pull RUN --all` brings what a job left");
  } else {
    project.lost.push_back(cat("`--", flag.name, "`, which no tool is known to take"));
  }
  return {};
}

// Of two places the tools took the bucket. A platform has one UFS.
void settle_ufs(const std::string& of_results, OldProject& project) {
  if (!project.bucket.name.empty() && !project.ufs_data.empty()) {
    project.lost.emplace_back("`--data_ufs_path`: the tool took `--data_ufile_path`, which is there, too");
    project.ufs.clear();
    project.ufs_data.clear();
  }
  if (of_results.empty() || !project.output_bucket.name.empty()) return;
  if (project.ufs.empty()) project.ufs = of_results;
  if (project.ufs != of_results)
    project.lost.push_back(cat("UFS ", quoted(of_results), ", where results went: they go to ",
                               quoted(project.ufs), ", where the data is"));
}

// What else the tools did, and what does it here.
std::string instead_of(std::string_view what) {
  constexpr std::pair<std::string_view, std::string_view> kWays[] = {
      {"stop", "trainmake cancel RUN`, or `trainmake uai stop ID"},
      {"delete", "trainmake uai remove RUN"},
      {"list", "trainmake uai list"},
      {"info", "trainmake show RUN"},
      {"log", "trainmake logs RUN"},
      {"topic", "trainmake logs RUN"},
      {"url", "trainmake show RUN"},
      {"bill", "trainmake uai bill"},
      {"rename", "trainmake uai rename RUN NAME"}};
  for (const auto& [theirs, ours] : kWays) {
    if (theirs == what) return cat("Here that is `", ours, "`");
  }
  return "";
}

// Of the tool of caffe all parameters are in its other flags.
void take_start(OldProject& pack, const OldProject& create) {
  if (pack.python_line.empty()) pack.python_line = create.python_line;
  if (create.main.empty()) return;
  constexpr std::string_view kCode = "/data/";
  if (create.main.starts_with(kCode)) pack.main = create.main.substr(kCode.size());
  if (pack.solver.empty()) {
    if (!pack.train_params.empty() && pack.train_params != create.train_params)
      pack.lost.emplace_back("`--train_params`: `create` started it with others, which are taken");
    pack.train_params = create.train_params;
    return;
  }
  const std::string told =
      cat("--solver=", pack.solver, pack.snapshot.empty() ? "" : cat(" --snapshot=", pack.snapshot));
  if (create.train_params != told)
    pack.lost.emplace_back("`--docker_cmd`, whose parameters are others than `pack` says");
}

// What a `pack` was told of the image and the program, and a `create` of where and how long it runs.
OldProject completed(OldProject pack, const OldProject& create) {
  for (const auto text :
       {&OldProject::project_id, &OldProject::region, &OldProject::zone, &OldProject::registry,
        &OldProject::business_group, &OldProject::memo, &OldProject::node_type, &OldProject::data_prefix,
        &OldProject::ufs, &OldProject::ufs_data, &OldProject::distribution}) {
    if ((pack.*text).empty()) pack.*text = create.*text;
  }
  pack.internal_uhub = pack.internal_uhub || create.internal_uhub;
  pack.bucket = create.bucket;
  pack.output_bucket = create.output_bucket;
  pack.hours = create.hours;
  pack.nodes = create.nodes;
  take_start(pack, create);
  const auto add_new = [](auto& to, const auto& from) {
    for (const auto& one : from) {
      if (std::find(to.begin(), to.end(), one) == to.end()) to.push_back(one);
    }
  };
  add_new(pack.credentials, create.credentials);
  add_new(pack.lost, create.lost);
  if (pack.name.empty()) pack.name = create.name;
  if (!create.name.empty() && create.name != pack.name)
    pack.lost.push_back(cat("the job's name, ", quoted(create.name), ": it has the image's"));
  return pack;
}

}  // namespace

bool is_old_command(std::string_view text) {
  return text.find_first_of(" \t\n") != text.npos &&
         std::any_of(std::begin(kTools), std::end(kTools),
                     [&](std::string_view tool) { return text.find(tool) != text.npos; });
}

Result<OldProject> read_old_command(const std::vector<std::string>& words) {
  const auto tool = std::find_if(words.begin(), words.end(), [](const std::string& word) {
    return std::find(std::begin(kTools), std::end(kTools), path_name(word)) != std::end(kTools);
  });
  if (tool == words.end())
    return fail(user_error("It is no command of UAI-Train's tools",
                           "As `trainmake import uai 'python caffe_tool.py pack --code_path=./code/ ...'`"));
  const auto at = static_cast<std::size_t>(tool - words.begin()) + 1;
  const std::string what = at < words.size() ? words[at] : "";
  if (what != "pack" && what != "create")
    return fail(user_error(cat("Of the tools' commands `pack` and `create` describe a job, and ",
                               what.empty() ? "there is none" : cat("this one is ", quoted(what))),
                           instead_of(what)));
  TRY_ASSIGN(const std::vector<Flag> flags, flags_of(words, at + 1));
  if (flags.empty())
    return fail(user_error(cat(quoted(cat(path_name(*tool), " ", what)), " says nothing of a job by itself"),
                           "Paste the whole command, as `trainmake import uai python caffe_tool.py pack "
                           "--code_path=./code/ ...`"));
  OldProject project;
  if (what == "pack") project.code = "./code/";
  std::string results_ufs;
  for (const Flag& flag : flags) {
    if (flag.name == "output_ufs_mount_point")
      results_ufs = flag.value;
    else
      TRY(take(flag, project));
  }
  settle_ufs(results_ufs, project);
  if (what == "pack" && path_name(*tool) == "caffe_tool.py" && !project.train_params.empty()) {
    project.train_params.clear();
    project.lost.emplace_back("`--train_params`: the tool of caffe never passed them on");
  }
  return project;
}

Result<OldProject> read_old_commands(std::string_view text) {
  const ShellReading reading{.keeps_patterns = true, .keeps_blanks_to_fill = true};
  std::optional<OldProject> whole;
  std::vector<std::string> commands = shell_commands(text);
  if (commands.size() > 1)
    std::erase_if(commands, [](const std::string& each) { return !is_old_command(each); });
  for (const std::string& command : commands) {
    TRY_ASSIGN(const std::vector<std::string> words, shell_words(command, reading));
    TRY_ASSIGN(OldProject one, read_old_command(words));
    if (!whole) {
      whole = std::move(one);
      continue;
    }
    if (whole->code.empty() == one.code.empty())
      return fail(user_error("Of one project there is one `pack` and one `create`, and these are more",
                             "Import each project by itself, with `--to DIR`"));
    whole = whole->code.empty() ? completed(std::move(one), *whole) : completed(*std::move(whole), one);
  }
  if (whole) return *std::move(whole);
  return fail(user_error("It is no command of UAI-Train's tools"));
}

}  // namespace trainmake
