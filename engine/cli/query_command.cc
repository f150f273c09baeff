// `query EXPR`: what there is, after resolve; with --declared, what the files say before it.
#include <nlohmann/json.hpp>

#include "engine/base/text.h"
#include "engine/cli/hidden.h"
#include "engine/cli/lua_text.h"
#include "engine/cli/select_targets.h"
#include "engine/cli/target_json.h"

namespace trainmake {
namespace {

using Json = nlohmann::ordered_json;

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
    for (Declaration declaration : project.declarations) {
      declaration.attributes = as_shown(declaration.kind, std::move(declaration.attributes));
      const Label label{project.folder, declaration.kind, declaration.name};
      if (!pattern.fits(label)) continue;
      text += call.session.json() ? json_line(declaration_json(label, declaration))
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
    text += session.json() ? json_line(target_json(schemas, selection.graph, target))
                           : session.shown(target.label) + "\n";
  }
  write_stdout(text);
  return 0;
}

}  // namespace trainmake
