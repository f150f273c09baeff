#include "engine/cli/old_project_text.h"

#include "engine/base/shell_words.h"
#include "engine/base/text.h"
#include "engine/cli/lua_text.h"
#include "engine/cli/target_name.h"

namespace trainmake {
namespace {

std::string in_quotes(const std::string& text) {
  Value value;
  value.data = text;
  return lua_text(value);
}

std::string list_of(const std::vector<std::string>& words) {
  std::vector<std::string> parts;
  for (const std::string& word : words) parts.push_back(in_quotes(word));
  return cat("{ ", join(parts, ", "), " }");
}

constexpr const char* kUfsFolder = "/mnt/ufs";

// A path in the container, as the platform's contract completes it.
std::string placed(const std::string& path) {
  constexpr std::pair<std::string_view, std::string_view> kPlaces[] = {
      {"/data/data/", "data_dir "}, {"/data/output/", "output_dir "}, {"/data/", "code_dir "}};
  for (const auto& [folder, function] : kPlaces) {
    if (path.starts_with(folder) && path.size() > folder.size())
      return cat(function, in_quotes(path.substr(folder.size())));
  }
  return in_quotes(path);
}

// `name = text,` a line each, of those that say something.
struct Attributes {
  std::string text = {};

  void add(std::string_view name, const std::string& lua) {
    if (!lua.empty()) text += cat("  ", name, " = ", lua, ",\n");
  }
  void add_text(std::string_view name, const std::string& said) {
    if (!said.empty()) add(name, in_quotes(said));
  }
  std::string of(std::string_view kind, const std::string& name) const {
    return cat("\n", kind, " ", in_quotes(name), " {\n", text, "}\n");
  }
};

std::string base_of(const OldProject& project) {
  if (!project.packed_image.empty()) return in_quotes(project.packed_image);
  if (!project.cpu_base.empty())
    return cat("{ cpu = ", in_quotes(project.cpu_base), ", gpu = ", in_quotes(project.gpu_base), " }");
  if (!project.gpu_base.empty()) return in_quotes(project.gpu_base);
  std::string wanted = cat("arch = ", in_quotes(project.arch));
  if (!project.os.empty()) wanted += cat(", os = ", in_quotes(project.os));
  if (!project.python.empty()) wanted += cat(", python = ", in_quotes(project.python));
  if (project.cpu_alone) wanted += ", cpu = true";
  return cat("uai.base { ", wanted, " }");
}

struct Writer {
  const OldProject& project;
  OldProjectText out;

  void lose(std::string sentence) { out.lost.push_back(std::move(sentence)); }

  // The folder that a path names beside TRAINFILE.lua; its last name where it lay elsewhere.
  std::string folder_of(const std::string& path, const char* what) {
    std::string_view typed = path;
    while (typed.size() > 1 && typed.ends_with('/')) typed.remove_suffix(1);
    const std::optional<std::string> clean = path_clean(typed);
    if (clean && !typed.starts_with('/')) return *clean;
    const std::string_view last = path_name(typed);
    const std::string name(last.empty() || last == ".." || last == "." ? what : last);
    lose(cat("the ", what, " lay in ", quoted(path), ": TRAINFILE.lua looks for it in ",
             quoted(cat(name, "/")), " beside itself"));
    return name;
  }

  // A pattern of all that lies in a folder, whatever that is called.
  static std::string all_of(const std::string& folder) {
    std::string pattern;
    for (const char c : folder)
      pattern +=
          std::string_view("*?[{\\").find(c) == std::string_view::npos ? std::string(1, c) : cat("\\", c);
    return path_join(pattern, "**");
  }

  std::string code() {
    if (project.code.empty()) return "";
    Attributes attributes;
    const std::string folder = folder_of(project.code, "code");
    out.files.push_back(path_join(folder, path_clean(project.main).value_or("")));
    attributes.add("srcs",
                   cat("glob { ", in_quotes(all_of(folder)), ", exclude = { \"**/__pycache__/**\" } }"));
    // As it was typed, where nobody would guess it: the tools wrote it into the Dockerfiles.
    if (path_clean(project.code) == folder &&
        project.code != (folder.empty() ? "./" : cat("./", folder, "/")))
      attributes.add_text("root", project.code);
    attributes.add_text("main", path_clean(project.main).value_or(project.main));
    return attributes.of("code", out.name);
  }

  bool has_data() const {
    return !project.data.empty() || !project.data_prefix.empty() || !project.ufs_data.empty();
  }

  std::string data() {
    if (!has_data()) return "";
    Attributes attributes;
    if (!project.ufs_data.empty()) {
      attributes.add_text(
          "url", cat("dir:", path_join(kUfsFolder, path_clean(project.ufs_data).value_or(project.ufs_data))));
    } else if (project.data.empty()) {
      attributes.add_text("url", cat("ufile://", project.bucket.name, "/", project.data_prefix));
    } else {
      const std::string folder = folder_of(project.data, "data");
      out.files.push_back(folder);
      attributes.add("files", cat("glob ", in_quotes(all_of(folder))));
      attributes.add_text("prefix", project.data_prefix);
    }
    return attributes.of("data", out.name);
  }

  std::string image() {
    Attributes attributes;
    if (!project.code.empty()) attributes.add_text("code", cat("code:", out.name));
    attributes.add("base", base_of(project));
    if (project.cpu_alone) attributes.add("variants", "{ \"cpu\" }");
    if (!project.run.empty()) {
      attributes.add("run", list_of(project.run));
      attributes.add("network", "true");
    }
    std::vector<std::string> variables;
    for (const auto& [name, value] : project.environment)
      variables.push_back(cat("[", in_quotes(name), "] = ", in_quotes(value)));
    if (!variables.empty()) attributes.add("env", cat("{ ", join(variables, ", "), " }"));
    if (!project.tag.empty()) attributes.add("tags", list_of({project.tag}));
    return attributes.of("image", out.name);
  }

  std::string resources() {
    std::vector<std::string> parts;
    if (project.node_type.empty() || !project.hours)
      lose("the machine and the hours, which `create` is told: TRAINFILE.lua says what is usual");
    parts.push_back(cat("node_type = ", in_quotes(project.node_type.empty() ? "1-P40" : project.node_type)));
    if (project.nodes.value_or(1) > 1) parts.push_back(cat("nodes = ", *project.nodes));
    parts.push_back(cat("hours = ", project.hours.value_or(6)));
    return cat("{ ", join(parts, ", "), " }");
  }

  void distribution(Attributes& attributes) {
    const bool is_of_torch = project.python_line.find("torch.distributed") != std::string::npos;
    const std::string said = project.distribution.empty() && is_of_torch ? "torchrun" : project.distribution;
    const bool has_nodes = project.nodes.value_or(1) > 1;
    if (has_nodes) attributes.add_text("distribution", said);
    if (has_nodes && said.empty())
      lose("what distributes it, which `create` is not told: `distribution = \"tf_config\"` or its like");
    if (!has_nodes && !project.distribution.empty())
      lose("`--dist_ai_frame`: on one node there is nothing to distribute");
  }

  std::string job() {
    Attributes attributes;
    attributes.add_text("image", cat("image:", out.name));
    if (has_data()) attributes.add_text("data", cat("data:", out.name));
    const auto words = shell_words(project.train_params, {.keeps_patterns = true});
    if (!words) lose(cat("`train_params`: ", words.error().message, ". ", words.error().hint));
    if (!project.python_line.empty()) {
      const char* at_once = project.python_line.starts_with("-u ") ? "" : "-u ";  // unbuffered
      attributes.add(
          "command",
          list_of({"sh", "-c", cat("exec /usr/bin/python ", at_once, project.python_line, " \"$@\""), "sh"}));
    } else if (words && !project.packed_image.empty()) {
      std::vector<std::string> command = {"/usr/bin/python", "-u", project.main};
      command.insert(command.end(), words->begin(), words->end());
      attributes.add("command", list_of(command));
    }
    if (!project.solver.empty()) attributes.add("solver", placed(project.solver));
    if (!project.snapshot.empty()) attributes.add("snapshot", placed(project.snapshot));
    if (words && project.packed_image.empty()) attributes.add_text("train_params", project.train_params);
    attributes.add("resources", resources());
    distribution(attributes);
    attributes.add_text("memo", project.memo);
    lose(
        "what the job leaves: name it, as `outputs = { model = \"model.txt\" }`; `trainmake pull RUN --all` "
        "brings all of it");
    return attributes.of("job", out.name);
  }

  static std::string store(const std::string& name, const OldProject::Bucket& bucket) {
    if (bucket.region.empty()) return "";
    Attributes attributes;
    attributes.add_text("url", cat("ufile://", bucket.name));
    attributes.add_text("region", bucket.region);
    return attributes.of("store", name);
  }

  // Results come from the platform's own bucket. What lies in another is read there.
  std::string buckets(const OldProject::Bucket& own) {
    std::string text = store("bucket", own);
    if (!project.bucket.name.empty() && own.name != project.bucket.name)
      text += store("data", project.bucket);
    return text;
  }

  void place(const OldProject::Bucket& own, Attributes& attributes) {
    attributes.add_text("bucket", own.name);
    out.names_place = !own.name.empty() || !project.ufs.empty();
    if (own.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos)
      lose(cat("a bucket that UFile could make: of ", quoted(own.name),
               " it takes lower case, digits and `-` alone. TRAINSPACE.lua is where to name another"));
    if (!project.ufs.empty()) {
      attributes.add_text("ufs", project.ufs);
      attributes.add_text("ufs_dir", kUfsFolder);
      lose(cat("where UFS ", quoted(project.ufs), " is on this machine: `ufs_dir` in TRAINSPACE.lua says ",
               quoted(kUfsFolder), project.ufs_data.empty() ? "" : ", and so does the data's `url`"));
    } else if (own.name.empty()) {
      lose("the bucket, which `pack` is not told: say it in TRAINSPACE.lua, as `bucket = \"...\"`");
    }
  }

  std::string space() {
    Attributes attributes;
    attributes.add_text("type", "uai");
    attributes.add_text("region", project.region);
    attributes.add_text("zone", project.zone);
    attributes.add_text("project_id", project.project_id);
    attributes.add_text("business_group", project.business_group);
    attributes.add_text("registry", project.registry);
    if (project.internal_uhub) attributes.add("internal_uhub", "true");
    const OldProject::Bucket& own =
        project.output_bucket.name.empty() ? project.bucket : project.output_bucket;
    place(own, attributes);
    return cat("-- Keys stand in no file: UCLOUD_PUBLIC_KEY and UCLOUD_PRIVATE_KEY, or ~/.ucloud.",
               attributes.of("platform", "uai"), buckets(own), "\ndefault_platform \"uai\"\n");
  }
};

}  // namespace

OldProjectText text_of(const OldProject& project) {
  Writer writer{project, {target_name(project.name), "", "", project.lost}};
  OldProjectText& out = writer.out;
  if (out.name != project.name && !project.name.empty())
    writer.lose(cat("the name ", quoted(project.name), ": it is ", quoted(out.name), " here"));
  out.trainfile = cat("project { name = ", in_quotes(out.name), " }\n", writer.code(), writer.data(),
                      writer.image(), writer.job());
  out.trainspace = writer.space();
  return std::move(writer.out);
}

}  // namespace trainmake
