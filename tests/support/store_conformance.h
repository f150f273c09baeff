// What every store promises, as a suite, for one file of tests: instantiate it there with functions that make
// empty ones.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/store_under_test.h"

namespace trainmake {

class StoreConformance : public testing::TestWithParam<MakeStore> {
 protected:
  StoreUnderTest under = GetParam()();
  Store& store = *under.store;
  std::string came;

  std::map<std::string, std::uint64_t> listed(const std::string& prefix) {
    std::map<std::string, std::uint64_t> found;
    EXPECT_TRUE(store.list(prefix, [&](const StoredObject& object) { found[object.key] = object.size; }));
    return found;
  }
  Result<std::optional<std::string>> put(const std::string& key, std::string_view bytes,
                                         const Expected& expected = std::nullopt) {
    return store.put(key, bytes, expected);
  }
  std::string content(const std::string& key) {
    const auto found = store.get(key);
    EXPECT_TRUE(found) << key;
    return found && *found ? (*found)->bytes : "(nothing)";
  }
  // How it ended; what was handed on, whichever way, is in `came`.
  ReadEnd read_as(const ObjectToRead& object) {
    came.clear();
    const Result<ReadEnd> end = store.read(object,
                                           [&](std::string_view piece) {
                                             came += piece;
                                             return Result<void>();
                                           },
                                           {});
    EXPECT_TRUE(end) << (end ? "" : end.error().message);
    return end.value_or(ReadEnd::kDamaged);
  }
  std::string read(const std::string& key, const std::string& tag) {
    return read_as({key, tag}) == ReadEnd::kWhole ? came : "(nothing)";
  }
  // Each answer to a read, from the given one on.
  void change_answers(int from, const std::function<void(HttpResponse&)>& change) {
    under.http->answer = [from, change, inner = under.http->answer,
                          reads = 0](const HttpRequest& request) mutable -> Result<HttpResponse> {
      if (request.method != "GET" || ++reads < from) return inner(request);
      Result<HttpResponse> response = inner(request);
      if (response) change(*response);
      return response;
    };
  }
  Result<PutFile> put_file(const std::string& key, const std::string& content) {
    return store.put_file({key, "/src/f", digest_of(content)}, {});
  }
  Result<void> remove(const std::string& key) { return store.remove(std::vector{key}, {}); }
};

TEST_P(StoreConformance, WhatWasPutIsThere) {
  ASSERT_TRUE(put("a/b", "hello"));
  EXPECT_EQ(content("a/b"), "hello");
}

TEST_P(StoreConformance, WhatWasNotPutIsNot) { EXPECT_FALSE(*store.get("a/b")); }

TEST_P(StoreConformance, PuttingAgainReplaces) {
  ASSERT_TRUE(put("k", "one"));
  ASSERT_TRUE(put("k", "two"));
  EXPECT_EQ(content("k"), "two");
}

TEST_P(StoreConformance, AFileTravelsWhole) {
  const std::string bytes(700'000, 'x');
  under.files->put("/src/f", bytes);
  ASSERT_TRUE(put_file("k", bytes));
  EXPECT_EQ(content("k"), bytes);
}

TEST_P(StoreConformance, AFileThatIsNotWhatWasDigestedIsRefused) {
  under.files->put("/src/f", "now");
  EXPECT_FALSE(put_file("k", "before"));
  EXPECT_FALSE(*store.get("k"));
}

TEST_P(StoreConformance, EmptyAndOddKeysAreKept) {
  for (const std::string& key : {std::string("empty"), std::string("c d+ü.txt"), std::string("new\nline"),
                                 std::string(under.takes_any_bytes ? "\xff\xfe" : "%41 & <b>\"")}) {
    ASSERT_TRUE(put(key, "")) << key;
    EXPECT_EQ(content(key), "");
  }
  EXPECT_EQ(listed("").size(), 4U);
}

TEST_P(StoreConformance, ListsWhatBeginsWithThePrefix) {
  for (const char* key : {"a/1", "a/2/3", "ab", "b"}) ASSERT_TRUE(put(key, "xyz"));
  EXPECT_EQ(listed("a/"), (std::map<std::string, std::uint64_t>{{"a/1", 3}, {"a/2/3", 3}}));
  EXPECT_EQ(listed("a").size(), 3U);
  EXPECT_EQ(listed("").size(), 4U);
  EXPECT_TRUE(listed("zzz").empty());
}

TEST_P(StoreConformance, WhatIsRemovedIsGoneAndItsNeighboursStay) {
  ASSERT_TRUE(put("a/1", "x"));
  ASSERT_TRUE(put("a/2", "x"));
  ASSERT_TRUE(remove("a/1"));
  EXPECT_FALSE(*store.get("a/1"));
  EXPECT_TRUE(*store.get("a/2"));
}

TEST_P(StoreConformance, RemovingAKeyLeavesThoseBelowItsNameAlone) {
  ASSERT_TRUE(put("a/b", "x"));
  ASSERT_TRUE(remove("a"));
  EXPECT_EQ(content("a/b"), "x");
}

TEST_P(StoreConformance, RemovingWhatIsNotThereIsFine) { EXPECT_TRUE(remove("nothing")); }

TEST_P(StoreConformance, KeysThatLeadOutAreRefused) {
  for (const char* key : {"../x", "/x", "", "/", "a/../../x", "../"}) EXPECT_FALSE(put(key, "x")) << key;
  EXPECT_FALSE(put(std::string("a\0b", 3), "x"));
}

TEST_P(StoreConformance, ManyAreRemovedAtOnce) {
  for (const char* key : {"a", "b & <c>", "d\ne", "f"}) ASSERT_TRUE(put(key, "x"));
  ASSERT_TRUE(store.remove(std::vector<std::string>{"a", "b & <c>", "d\ne", "nothing"}, {}));
  EXPECT_EQ(listed("").size(), 1U);
}

TEST_P(StoreConformance, AnEmptyFolderIsAnObjectWithoutBytes) {
  EXPECT_FALSE(store.look("a/b/").value());
  const auto made = put("a/b/", "");
  ASSERT_TRUE(made && *made);
  ASSERT_TRUE(put("a/b/", "")) << "again";
  const auto seen = store.look("a/b/");
  ASSERT_TRUE(seen && *seen);
  EXPECT_EQ((*seen)->size, 0U);
  EXPECT_EQ((*seen)->content, digest_of(""));
  EXPECT_EQ((*seen)->tag, **made);
  EXPECT_EQ(content("a/b/"), "");
  EXPECT_FALSE(store.look("a/b").value()) << "it is no file";
  ASSERT_TRUE(remove("a/b/"));
  EXPECT_FALSE(store.look("a/b/").value());
  EXPECT_TRUE(remove("a/b/"));
}

TEST_P(StoreConformance, RemovingAFolderLeavesWhatCameIntoIt) {
  ASSERT_TRUE(put("a/", ""));
  ASSERT_TRUE(put("a/b", "x"));
  ASSERT_TRUE(remove("a/"));
  EXPECT_EQ(content("a/b"), "x");
}

TEST_P(StoreConformance, ATagIsOfOneObject) {
  const auto first = put("k", "one");
  ASSERT_TRUE(first && *first);
  EXPECT_EQ(store.get("k").value()->tag, **first);
  EXPECT_EQ(store.look("k").value()->tag, **first);
  std::string listed_tag;
  ASSERT_TRUE(store.list("k", [&](const StoredObject& object) { listed_tag = object.tag; }));
  EXPECT_EQ(listed_tag, **first);
  const auto second = put("k", "two");
  ASSERT_TRUE(second && *second);
  EXPECT_NE(**second, **first);
}

TEST_P(StoreConformance, WhatIsPutMayDependOnWhatIsThere) {
  const auto first = put("k", "one", "");
  ASSERT_TRUE(first && *first);
  EXPECT_FALSE(put("k", "two", "").value()) << "there is something";
  EXPECT_FALSE(put("k", "two", "another").value());
  EXPECT_FALSE(put("new", "two", **first).value()) << "there is nothing";
  EXPECT_EQ(content("k"), "one");
  EXPECT_TRUE(put("k", "two", **first).value());
  EXPECT_EQ(content("k"), "two");
  EXPECT_FALSE(put("k", "three", **first).value());
}

TEST_P(StoreConformance, AnObjectIsReadWholeAndOnlyWithItsTag) {
  const std::string bytes(300'000, 'r');
  const auto tag = put("k", bytes);
  ASSERT_TRUE(tag && *tag);
  EXPECT_EQ(read("k", **tag), bytes);
  EXPECT_EQ(read("k", "another"), "(nothing)");
  EXPECT_EQ(read("missing", **tag), "(nothing)");
  ASSERT_TRUE(put("empty", ""));
  EXPECT_EQ(read("empty", store.get("empty").value()->tag), "");
}

TEST_P(StoreConformance, AReadGoesOnWhereItWasCut) {
  if (under.http == nullptr) GTEST_SKIP() << "no connection to cut";
  std::string bytes(10'000, 'r');
  for (std::size_t i = 0; i < bytes.size(); i += 7) bytes[i] = static_cast<char>(i);
  const auto tag = put("k", bytes);
  ASSERT_TRUE(tag && *tag);
  under.http->forget();
  under.http->cuts = {0, 1, 4000};
  EXPECT_TRUE(read("k", **tag) == bytes);
  std::size_t gets = 0;
  for (const HttpRequest& request : under.http->requests()) gets += request.method == "GET" ? 1 : 0;
  EXPECT_EQ(gets, 4U);
}

TEST_P(StoreConformance, AReadGoesOnFromWhatCameEarlier) {
  std::string bytes(10'000, 'r');
  for (std::size_t i = 0; i < bytes.size(); i += 7) bytes[i] = static_cast<char>(i);
  const auto tag = put("k", bytes);
  ASSERT_TRUE(tag && *tag);
  for (const std::size_t count : {std::size_t{1}, std::size_t{4000}, bytes.size() - 1}) {
    const auto again = [&](const ByteSink& to) { return to(std::string_view(bytes).substr(0, count)); };
    EXPECT_EQ(read_as({"k", **tag, bytes.size(), count, again}), ReadEnd::kWhole);
    EXPECT_TRUE(came == bytes.substr(count));
  }
}

TEST_P(StoreConformance, AReadIsOfOneObjectHoweverOftenItIsCut) {
  if (under.http == nullptr) GTEST_SKIP() << "no connection to cut";
  const std::string bytes(10'000, 'r');
  const auto tag = put("k", bytes);
  ASSERT_TRUE(tag && *tag);
  for (const int from : {1, 2}) {
    const auto answer = under.http->answer;
    change_answers(from, [](HttpResponse& response) {
      response.body.assign(response.body.size(), 'n');
      for (auto& [name, value] : response.headers) {
        if (name == "etag") value = "\"another\"";
      }
    });
    under.http->cuts = {4000};
    EXPECT_EQ(read_as({"k", **tag}), ReadEnd::kGone);
    EXPECT_EQ(came, bytes.substr(0, from == 1 ? 0 : 4000)) << "nothing of another object is handed on";
    under.http->answer = answer;
  }
}

TEST_P(StoreConformance, AReadTakesNoMoreThanWasListed) {
  if (under.http == nullptr) GTEST_SKIP() << "a folder's tag has the size";
  const auto tag = put("k", std::string(10'000, 'r'));
  ASSERT_TRUE(tag && *tag);
  EXPECT_EQ(read_as({"k", **tag, 10'000}), ReadEnd::kWhole);
  EXPECT_EQ(read_as({"k", **tag, 3}), ReadEnd::kDamaged);
  EXPECT_EQ(came, "");
  EXPECT_EQ(read_as({"k", **tag, 20'000}), ReadEnd::kDamaged);
}

TEST_P(StoreConformance, ARangeThatWasNotAskedForIsNotTaken) {
  if (under.http == nullptr) GTEST_SKIP() << "no ranges";
  const auto tag = put("k", std::string(10'000, 'r'));
  ASSERT_TRUE(tag && *tag);
  change_answers(1, [](HttpResponse& response) {
    response.status = 206;
    response.body.resize(9'900);
    std::erase_if(response.headers, [](const auto& header) { return header.first == "content-length"; });
    response.headers.emplace_back("content-range", "bytes 100-9999/10000");
  });
  EXPECT_NE(read_as({"k", **tag}), ReadEnd::kWhole);
  EXPECT_EQ(came, "");
}

TEST_P(StoreConformance, ALookTellsWhatWasPut) {
  under.files->put("/src/f", "content");
  const auto made = put_file("k", "content");
  ASSERT_TRUE(made);
  const auto seen = store.look("k");
  ASSERT_TRUE(seen && *seen);
  EXPECT_EQ((*seen)->size, 7U);
  EXPECT_EQ((*seen)->tag, made->tag);
  EXPECT_EQ((*seen)->content, digest_of("content"));
  EXPECT_FALSE(store.look("other").value());
}

TEST_P(StoreConformance, AgesAreTold) {
  ASSERT_TRUE(put("k", "x"));
  const auto age = store.get("k").value()->age_s;
  ASSERT_TRUE(age);
  EXPECT_GE(*age, 0);
}

}  // namespace trainmake
