// `query EXPR`: what there is, after resolve; with --declared, what the files say before it.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/cli/lua_text.h"
#include "engine/cli/select_targets.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json place_json(const Label& label, const Location& where) {
  return {
      {"label", label.text()}, {"kind", label.kind}, {"file", printable(where.file)}, {"line", where.line}};
}

const Attribute* attribute_of(const std::vector<const Schema*>& schemas, const std::string& kind,
                              const std::string& name) {
  const auto schema =
      std::find_if(schemas.begin(), schemas.end(), [&](const Schema* each) { return each->kind == kind; });
  return schema == schemas.end() ? nullptr : (*schema)->find(name);
}

// An attribute that names targets, its labels absolute.
Json labels_json(const Graph& graph, const Target& target, const Attribute& attribute, const Value& value) {
  Json list = Json::array();
  for (const Dependency& need : target.needs) {
    if (need.attribute != attribute.name) continue;
    const std::string label = graph[need.target].label.text();
    if (attribute.shape == Shape::kChannels) {
      list.push_back(
          {{"channel", need.channel.empty() ? Json() : Json(printable(need.channel))}, {"label", label}});
    } else {
      list.push_back(label);
    }
  }
  return attribute.shape != Shape::kChannels && value.string() != nullptr && list.size() == 1 ? list.front()
                                                                                              : list;
}

Json target_json(const std::vector<const Schema*>& schemas, const Graph& graph, const Target& target) {
  Json json = place_json(target.label, target.where);
  std::vector<std::string> needs;
  for (const Dependency& need : target.needs) needs.push_back(graph[need.target].label.text());
  std::sort(needs.begin(), needs.end());
  needs.erase(std::unique(needs.begin(), needs.end()), needs.end());
  json["deps"] = needs;
  Json& attributes = json["attrs"] = Json::object();
  for (const auto& [name, value] : target.attributes.fields) {
    const Attribute* attribute = attribute_of(schemas, target.label.kind, name);
    const bool is_label = attribute != nullptr && !attribute->labels.empty();
    attributes[printable(name)] =
        is_label ? labels_json(graph, target, *attribute, value) : Json::parse(json_text(value));
  }
  return json;
}

// Nothing is known of what it needs: labels are as written.
Json declaration_json(const Label& label, const Declaration& declaration) {
  Json json = place_json(label, declaration.where);
  json["deps"] = Json();
  json["attrs"] =
      declaration.attributes.empty() ? Json::object() : Json::parse(json_text(Value{declaration.attributes}));
  return json;
}

Result<Pattern> declared_pattern(const Call& call, const std::string& text) {
  if (text.empty()) return Pattern{call.session.here(), false, "*", "*"};
  TRY_ASSIGN(const Expression expression, read_expression(call, text));
  if (expression.operation != Expression::Operation::kPattern) {
    return fail(user_error("With `--declared` a query is one label or pattern",
                           "What needs what is known after resolve, without `--declared`"));
  }
  return expression.pattern;
}

std::string declared_text(const Call& call, const Pattern& pattern, const std::vector<Project>& projects) {
  std::string text;
  for (const Project& project : projects) {
    for (const Declaration& declaration : project.declarations) {
      const Label label{project.folder, declaration.kind, declaration.name};
      if (!pattern.fits(label)) continue;
      text += call.session.json() ? line_of(declaration_json(label, declaration))
                                  : cat(text.empty() ? "" : "\n", lua_text(declaration));
    }
  }
  return text;
}

Result<int> query_declared(const Call& call, const std::string& query) {
  TRY_ASSIGN(const Pattern pattern, declared_pattern(call, query));
  TRY_ASSIGN(const std::vector<Project> projects, load_declared(call.session, {pattern}));
  const std::string text = declared_text(call, pattern, projects);
  write_stdout(text);
  std::vector<Error> errors;
  for (const Project& project : projects)
    errors.insert(errors.end(), project.errors.begin(), project.errors.end());
  if (text.empty() && errors.empty()) {
    errors.push_back(user_error(cat("Nothing fits ", quoted(pattern.text())),
                                "`trainmake query //...` lists every target of the workspace"));
  }
  if (errors.empty()) return 0;
  return fail_with(call, std::move(errors));
}

}  // namespace

Result<int> query_command(const Call& call) {
  Session& session = call.session;
  const std::string query = join(session.line().words, " ");
  if (session.line().has("--declared")) return query_declared(call, query);
  if (query.empty())
    return fail(user_error("`trainmake query` needs an expression",
                           "As `trainmake query //...` or `trainmake query \"deps(job:mnist)\"`"));
  TRY_ASSIGN(const Selection selection, select_targets(call, query));
  std::string text;
  const std::vector<const Schema*> schemas = session.schemas();
  for (const TargetId id : selection.targets) {
    const Target& target = selection.graph[id];
    text += session.json() ? line_of(target_json(schemas, selection.graph, target))
                           : session.shown(target.label) + "\n";
  }
  write_stdout(text);
  return 0;
}

}  // namespace trainmake
