#include "engine/base/yaml.h"

#include <yaml.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/base/json.h"

namespace trainmake {
namespace {

using Json = nlohmann::json;

constexpr int kMostNodes = 100'000;

std::string text_of(const yaml_node_t& scalar) {
  return {reinterpret_cast<const char*>(scalar.data.scalar.value), scalar.data.scalar.length};
}

class Conversion {
 public:
  explicit Conversion(yaml_document_t& document) : document_(document) {}

  Json whole() {
    const yaml_node_t* root = yaml_document_get_root_node(&document_);
    Json json = root == nullptr ? Json(Json::value_t::discarded) : json_of(*root, 0);
    return too_large_ ? Json(Json::value_t::discarded) : json;
  }

 private:
  Json json_of(const yaml_node_t& node, int depth) {
    // References may lead back to where they stand.
    too_large_ = too_large_ || depth > kDeepestJson || ++nodes_ > kMostNodes;
    if (too_large_) return {};
    switch (node.type) {
      case YAML_SCALAR_NODE:
        return text_of(node);
      case YAML_SEQUENCE_NODE: {
        Json array = Json::array();
        const auto& items = node.data.sequence.items;
        for (const int* item = items.start; item < items.top && !too_large_; ++item)
          array.push_back(json_of(at(*item), depth + 1));
        return array;
      }
      case YAML_MAPPING_NODE: {
        Json object = Json::object();
        const auto& pairs = node.data.mapping.pairs;
        for (const yaml_node_pair_t* pair = pairs.start; pair < pairs.top && !too_large_; ++pair) {
          const yaml_node_t& key = at(pair->key);
          if (key.type == YAML_SCALAR_NODE) object[text_of(key)] = json_of(at(pair->value), depth + 1);
        }
        return object;
      }
      default:
        return {};
    }
  }

  const yaml_node_t& at(int index) { return *yaml_document_get_node(&document_, index); }

  yaml_document_t& document_;
  int nodes_ = 0;
  bool too_large_ = false;
};

}  // namespace

Json parse_yaml(std::string_view text) {
  yaml_parser_t parser;
  yaml_document_t document;
  if (yaml_parser_initialize(&parser) == 0) return Json(Json::value_t::discarded);
  const std::unique_ptr<yaml_parser_t, decltype(&yaml_parser_delete)> free_parser(&parser,
                                                                                  yaml_parser_delete);
  yaml_parser_set_input_string(&parser, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  if (yaml_parser_load(&parser, &document) == 0) return Json(Json::value_t::discarded);
  const std::unique_ptr<yaml_document_t, decltype(&yaml_document_delete)> free_document(&document,
                                                                                        yaml_document_delete);
  return Conversion(document).whole();
}

}  // namespace trainmake
