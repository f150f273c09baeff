#include "rules/job/contracts.h"

#include <algorithm>
#include <array>

#include "engine/base/file_system.h"
#include "engine/base/text.h"
#include "rules/job/placeholders.h"

namespace trainmake {
namespace {

using Form = ArgumentStyle::Form;
using Booleans = ArgumentStyle::Booleans;
using Lists = ArgumentStyle::Lists;

// UCloud's UAI-Train: a program beside its data, told by flags, and read by the image's Python whatever its
// first line says. It brings checkpoints that lie in the output back before it starts.
Contract uai() {
  return {.version = "uai/3",
          .places = Contract::Places{"/data", "/data/data", "/data/output", "/data/output/checkpoint",
                                     "/data/output"},
          .variables = {},
          .flags = {{"use_cpu", "{cpu_if_caffe}"},
                    {"num_gpus", "{gpus_if_any}"},
                    {"work_dir", "{code}"},
                    {"data_dir", "{data}"},
                    {"output_dir", "{output}"},
                    {"log_dir", "{log}"}},
          .files = {},
          .arguments = {.form = Form::kEquals},
          .cluster = {.is_given = true, .chief = "master", .all_hosts = "UAI_HOSTS"},
          .python = {"/usr/bin/python", "-u"}};
}

// What TI's and SageMaker's containers share: /opt/ml, and hyperparameters that went through JSON and Python.
Contract opt_ml(const std::string& name, const std::string& prefix) {
  Contract contract;
  contract.version = cat(name, "/1");
  contract.places = Contract::Places{"/opt/ml/code", "/opt/ml/input/data", "/opt/ml/model",
                                     "/opt/ml/checkpoints", "/opt/ml/output/data"};
  const auto variable = [&](const char* suffix, const char* text) {
    contract.variables.emplace_back(cat(prefix, suffix), text);
  };
  variable("CHANNELS", "{channels_json}");
  variable("CHANNEL_{CHANNEL}", "{data}/{channel}");
  variable("CURRENT_HOST", "{host}");
  variable("HOSTS", "{hosts_json}");
  variable("HPS", "{hyperparameters_json}");
  variable("HP_{PARAM}", "{value}");
  variable("INPUT_CONFIG_DIR", "{top}/opt/ml/input/config");
  variable("INPUT_DIR", "{top}/opt/ml/input");
  variable("LOG_LEVEL", "20");
  variable("MODEL_DIR", "{output}");
  variable("NUM_CPUS", "{cpus}");
  variable("NUM_GPUS", "{gpus}");
  variable("OUTPUT_DATA_DIR", "{log}");
  variable("USER_ARGS", "{arguments_json}");
  variable("USER_ENTRY_POINT", "{main}");
  const std::string config = "/opt/ml/input/config/";
  contract.files = {{config + "hyperparameters.json", "{hyperparameter_texts_json}"},
                    {config + "inputdataconfig.json", "{channel_modes_json}"},
                    {config + "resourceconfig.json", R"({"current_host":"{host}","hosts":{hosts_json}})"}};
  contract.arguments = {.booleans = Booleans::kPython, .lists = Lists::kJson, .one_list = true};
  return contract;
}

Contract sagemaker() {
  Contract contract = opt_ml("sagemaker", "SM_");
  contract.variables.insert(contract.variables.end(),
                            {{"SM_MODULE_DIR", "{code}"},
                             {"SM_OUTPUT_DIR", "{top}/opt/ml/output"},
                             {"SM_OUTPUT_INTERMEDIATE_DIR", "{top}/opt/ml/output/intermediate"}});
  contract.arguments.short_letters = true;
  return contract;
}

// Huawei's ModelArts with MoXing's flags, where a folder that is trained into is also continued from.
Contract moxing() {
  const std::string home = "/home/ma-user/modelarts";
  return {.version = "moxing/1",
          .places = Contract::Places{home + "/user-job-dir/code", home + "/inputs/data_url_0",
                                     home + "/outputs/train_url_0", home + "/outputs/train_url_0/checkpoint",
                                     home + "/log"},
          .variables = {{"MA_HOME", "{top}/home/ma-user"},
                        {"MA_JOB_DIR", "{top}" + home + "/user-job-dir"},
                        {"MA_LOG_DIR", "{log}"},
                        {"MA_MOUNT_PATH", "{top}" + home},
                        {"MA_NUM_GPUS", "{gpus}"},
                        {"MA_NUM_HOSTS", "{nodes}"},
                        {"WORKSPACE", "{code}"}},
          .flags = {{"data_url", "{data}"}, {"train_url", "{output}"}, {"num_gpus", "{gpus_if_any}"}},
          .files = {},
          .arguments = {.form = Form::kEquals, .booleans = Booleans::kLowerCase, .lists = Lists::kCommas}};
}

struct BuiltIn {
  std::string_view name;
  Contract contract;
};

const std::vector<BuiltIn>& built_in() {
  static const std::vector<BuiltIn> all = {{"default", default_contract()},
                                           {"uai", uai_contract()},
                                           {"ti", opt_ml("ti", "TM_")},
                                           {"sagemaker", sagemaker()},
                                           {"moxing", moxing()}};
  return all;
}

const Contract* built_in_named(std::string_view name) {
  for (const BuiltIn& each : built_in()) {
    if (each.name == name) return &each.contract;
  }
  return nullptr;
}

template <typename Style>
struct Word {
  const char* word;
  Style style;
};
constexpr std::array kForms = {Word<Form>{"--name value", Form::kTwoWords},
                               Word<Form>{"--name=value", Form::kEquals}};
constexpr std::array kBooleans = {Word<Booleans>{"flag", Booleans::kFlag},
                                  Word<Booleans>{"true/false", Booleans::kLowerCase},
                                  Word<Booleans>{"True/False", Booleans::kPython}};
constexpr std::array kLists = {Word<Lists>{"words", Lists::kWords}, Word<Lists>{"commas", Lists::kCommas},
                               Word<Lists>{"json", Lists::kJson}, Word<Lists>{"repeated", Lists::kRepeated}};

std::vector<Error> wrong_word(const Value& value, const auto& table) {
  std::vector<std::string> words;
  for (const auto& [word, style] : table) words.emplace_back(word);
  if (std::find(words.begin(), words.end(), *value.string()) != words.end()) return {};
  const std::string meant = did_you_mean(*value.string(), words);
  std::vector<std::string> shown;
  for (const std::string& word : words) shown.push_back(quoted(word));
  return {user_error(cat("It says ", quoted(*value.string()), ": expected ", join(shown, " or ")), meant)};
}

auto style_of(const Table& arguments, std::string_view field, const auto& table) {
  const Value* value = arguments.find(field);
  for (const auto& [word, style] : table) {
    if (value != nullptr && value->string() != nullptr && *value->string() == word) return style;
  }
  return table.front().style;
}

std::vector<Error> wrong_form(const Value& value) { return wrong_word(value, kForms); }
std::vector<Error> wrong_booleans(const Value& value) { return wrong_word(value, kBooleans); }
std::vector<Error> wrong_lists(const Value& value) { return wrong_word(value, kLists); }

void check_placeholders(const std::string& text, int line, std::vector<Error>& errors) {
  const std::vector<std::string>& known = placeholder_names();
  for (const std::string& name : placeholders_in(text)) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string meant = did_you_mean(name, known);
    errors.push_back(user_error(cat("`{", name, "}` stands for nothing in a contract"),
                                meant.empty() ? cat("There are ", join(known, ", ")) : meant)
                         .at({"", line}));
  }
}

bool has_placeholder(const Contract& contract, std::initializer_list<std::string_view> wanted) {
  const auto has = [&](const Contract::Texts& texts) {
    return std::any_of(texts.begin(), texts.end(), [&](const auto& named) {
      const std::vector<std::string> names = placeholders_in(named.second);
      return std::find_first_of(names.begin(), names.end(), wanted.begin(), wanted.end()) != names.end();
    });
  };
  return has(contract.variables) || has(contract.flags) || has(contract.files);
}

std::vector<Error> wrong_texts(const Value& texts) {
  std::vector<Error> errors;
  for (const auto& [name, text] : texts.table()->fields) {
    check_placeholders(name, text.line, errors);
    check_placeholders(*text.string(), text.line, errors);
  }
  return errors;
}

bool is_place(const std::string& path) {
  return path.size() > 1 && path.front() == '/' && path_clean(path.substr(1)) == path.substr(1);
}

void check_place(const std::string& path, int line, std::vector<Error>& errors) {
  if (is_place(path)) return;
  errors.push_back(
      user_error(cat(quoted(path), " is no absolute path inside of a job"), "Write it as `/mnt/data`")
          .at({"", line}));
}

std::vector<Error> wrong_variables(const Value& variables) {
  std::vector<Error> errors = wrong_texts(variables);
  for (const auto& [name, text] : variables.table()->fields) {
    if (name.empty() || name.find('=') != name.npos || name.find('\0') != name.npos)
      errors.push_back(
          user_error(cat("No environment variable can be named ", quoted(name))).at({"", text.line}));
  }
  return errors;
}

std::vector<Error> wrong_files(const Value& files) {
  std::vector<Error> errors = wrong_texts(files);
  for (const auto& [path, text] : files.table()->fields) check_place(path, text.line, errors);
  return errors;
}

std::vector<Error> wrong_folders(const Value& folders) {
  std::vector<Error> errors;
  std::vector<std::string> taken;
  for (const char* name : {"code", "data", "output"}) {
    const Value* folder = folders.table()->find(name);
    if (folder == nullptr) {
      errors.push_back(user_error(cat("`folders` does not say where the job's ", name, " lies"),
                                  "It names `code`, `data` and `output`; `checkpoint` and `log` may follow"));
    } else if (folder->string() != nullptr) {
      if (std::find(taken.begin(), taken.end(), *folder->string()) != taken.end())
        errors.push_back(
            user_error(cat("Two folders cannot be ", quoted(*folder->string()))).at({"", folder->line}));
      taken.push_back(*folder->string());
    }
  }
  for (const auto& [name, folder] : folders.table()->fields) {
    if (folder.string() != nullptr) check_place(*folder.string(), folder.line, errors);
  }
  return errors;
}

Contract::Texts texts_of(const Service& service, std::string_view attribute) {
  Contract::Texts texts;
  const Value* value = service.attributes.find(attribute);
  if (value == nullptr) return texts;
  for (const auto& [name, text] : value->table()->fields) texts.emplace_back(name, *text.string());
  return texts;
}

std::optional<Contract::Places> places_of(const Service& service) {
  const Value* folders = service.attributes.find("folders");
  if (folders == nullptr) return std::nullopt;
  const auto path = [&](std::string_view name, const std::string& otherwise) {
    const Value* said = folders->table()->find(name);
    return said == nullptr ? otherwise : *said->string();
  };
  const std::string output = path("output", "");
  return Contract::Places{path("code", ""), path("data", ""), output,
                          path("checkpoint", output + "/checkpoint"), path("log", output)};
}

// REQUIRES: its schema finds nothing wrong with it.
Contract declared(const Service& service) {
  Contract contract;
  Value content;
  content.data = service.attributes;
  contract.version = cat(service.name, "/", digest_of(content).hex());
  contract.places = places_of(service);
  contract.variables = texts_of(service, "variables");
  contract.flags = texts_of(service, "flags");
  contract.files = texts_of(service, "files");
  if (const Value* arguments = service.attributes.find("arguments")) {
    contract.arguments = {.form = style_of(*arguments->table(), "form", kForms),
                          .booleans = style_of(*arguments->table(), "booleans", kBooleans),
                          .lists = style_of(*arguments->table(), "lists", kLists)};
  }
  return contract;
}

}  // namespace

const Contract& default_contract() {
  static const Contract contract = {.version = "default/1",
                                    .places = {},
                                    .variables = {{"TRAINMAKE_CODE_DIR", "{code}"},
                                                  {"TRAINMAKE_DATA_DIR", "{data}"},
                                                  {"TRAINMAKE_OUTPUT_DIR", "{output}"},
                                                  {kCheckpointFolder, "{checkpoint}"},
                                                  {"TRAINMAKE_LOG_DIR", "{log}"},
                                                  {"TRAINMAKE_LABEL", "{label}"},
                                                  {"TRAINMAKE_RUN", "{run}"},
                                                  {"TRAINMAKE_PARAMS", "{params}"}},
                                    .flags = {},
                                    .files = {},
                                    .arguments = {}};
  return contract;
}

const Contract& uai_contract() {
  static const Contract contract = uai();
  return contract;
}

std::vector<std::string> contract_names(const Space& space) {
  std::vector<std::string> names = space.names("contract");
  for (const BuiltIn& each : built_in()) names.emplace_back(each.name);
  return names;
}

std::string usual_contract_of(std::string_view platform_type) {
  return platform_type == "uai" ? "uai" : "default";
}

std::string usual_contract_of(const Service* platform) {
  if (platform == nullptr) return usual_contract_of("");
  const std::string* named = platform->text("contract");
  const std::string* type = platform->text("type");
  return named != nullptr ? *named : usual_contract_of(std::string_view(type != nullptr ? *type : ""));
}

Result<Contract> contract_named(const Space& space, std::string_view name) {
  if (const Contract* known = built_in_named(name)) return *known;
  if (const Service* service = space.find("contract", name)) return declared(*service);
  const std::vector<std::string> names = contract_names(space);
  const std::string meant = did_you_mean(name, names);
  return fail(user_error(cat("There is no contract ", quoted(name)),
                         meant.empty()
                             ? cat("There are ", join(names, ", "), "; others are declared in TRAINSPACE.lua")
                             : meant));
}

const Schema& contract_schema() {
  static const Schema schema = {
      "contract",
      "What a job sees: where its folders lie, and what tells it so",
      {{.name = "folders",
        .shape = Shape::kTable,
        .doc = "Where code, data and output lie inside a job; without it, wherever the platform has them",
        .fields = {{"code", Shape::kString, "Where it starts"},
                   {"data", Shape::kString, "Channels lie in folders below it"},
                   {"output", Shape::kString, "What is kept"},
                   {"checkpoint", Shape::kString, "What a later attempt goes on from; else below the output"},
                   {"log", Shape::kString, "For logs of its own; else the output"}},
        .wrong = wrong_folders},
       {.name = "variables",
        .shape = Shape::kStringMap,
        .doc = "Environment variables: name = text with `{data}` and its like",
        .wrong = wrong_variables},
       {.name = "flags",
        .shape = Shape::kStringMap,
        .doc = "Arguments behind the job's own, sorted by name; one that comes to nothing is left out",
        .wrong = wrong_texts},
       {.name = "files",
        .shape = Shape::kStringMap,
        .doc = "Files that it finds: absolute path = text",
        .wrong = wrong_files},
       {.name = "arguments",
        .shape = Shape::kTable,
        .doc = "How args and params are written",
        .fields = {{.name = "form", .doc = "`--name value` or `--name=value`", .wrong = wrong_form},
                   {.name = "booleans",
                    .doc = "`flag` (`--name` or nothing), `true/false` or `True/False`",
                    .wrong = wrong_booleans},
                   {.name = "lists",
                    .doc = "`words` (`--name a b`), `commas`, `json` or `repeated` (`--name a --name b`)",
                    .wrong = wrong_lists}}}}};
  return schema;
}

std::vector<Error> wrong_contracts(const Space& space) {
  std::vector<Error> errors;
  for (const Service& service : space.services) {
    if (service.kind == "contract" && built_in_named(service.name) != nullptr)
      errors.push_back(
          user_error(cat("Contract ", quoted(service.name), " is one that trainmake knows itself"),
                     "Give yours another name")
              .at(service.where));
    const std::string* named = service.kind == "platform" ? service.text("contract") : nullptr;
    if (named == nullptr) continue;
    if (const auto found = contract_named(space, *named); !found)
      errors.push_back(
          Error(found.error()).at({service.where.file, service.attributes.find("contract")->line}));
  }
  return errors;
}

bool names_hosts(const Contract& contract) { return has_placeholder(contract, {"host", "hosts_json"}); }

bool tells_framework(const Contract& contract) { return has_placeholder(contract, {"cpu_if_caffe"}); }

}  // namespace trainmake
