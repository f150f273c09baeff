// What an image with a `dockerfile` is built on: what the tool made of it, remembered by all that the build
// sees.
#pragma once

#include "engine/model/rule.h"
#include "rules/image/base.h"
#include "rules/image/editions.h"
#include "rules/image/ingredients.h"
#include "rules/image/making.h"

namespace trainmake {

// `layout` is that of the store.
class BuiltBases {
 public:
  BuiltBases(const ImageServices& services, const ImageStore& store, Registry& layout, Making& making)
      : services_(services), store_(store), layout_(layout), making_(making) {}

  // As it was built before, all of it still here.
  Result<std::optional<Base>> kept(const Target& image, const Edition& edition, const FileTree& context);
  // Built when it is not kept, or when `doing` asks for it.
  Result<Base> of(const Target& image, const Edition& edition, const FileTree& context, const Doing& doing);

 private:
  Result<Base> build(const Target& image, const Edition& edition, const FileTree& context,
                     const Doing& doing);
  std::string memo_path(const Target& image, const Edition& edition, const FileTree& context) const;
  BaseSource source_of(const Target& image) const;

  ImageServices services_;
  const ImageStore& store_;
  Registry& layout_;
  Making& making_;
};

}  // namespace trainmake
