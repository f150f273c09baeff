#include "cache/stores/ufile/ufile_upload.h"

#include <algorithm>

#include "cache/content_digest.h"
#include "cache/file_digests.h"
#include "cache/stores/at_once.h"
#include "cache/stores/ufile/ufile_answers.h"
#include "engine/base/encoding.h"
#include "engine/base/text.h"

namespace trainmake {
namespace {

constexpr std::size_t kPartsAtOnce = 8;
constexpr char kTab = '\t';

// Who copies wrongly, or not at all, is sent the part.
constexpr std::initializer_list<int> kNotCopied = {400, 403, 404, 405, 409, 412, 416, 419, 501};
constexpr std::initializer_list<int> kNoSuchUpload = {400, 404, 409, 410, 412, 416, 419};

std::string upload_query(const std::string& id) { return cat("uploadId=", percent_encoded(id)); }

}  // namespace

Result<KnownFile> know_file(FileSystem& files, const FileToPut& file, std::uint64_t size,
                            const std::stop_token& stop) {
  ChunkDigests chunks;
  UfileDigests digests;
  TRY(read_range(files, {file.path, 0, size}, stop, [&](std::string_view bytes) {
    chunks.add(bytes);
    digests.add(bytes);
  }));
  digests.finish();
  KnownFile known{size, chunks.finish(), std::move(digests.blocks), hex_of(digests.md5), ""};
  if (digest_of_chunks(known.chunks, size) != file.content) return fail(changed_while_sent(file.path));
  known.etag = ufile_etag(known.blocks);
  return known;
}

Error refuse_object(UfileClient& client, const std::string& key, const Digest128& content,
                    std::string_view said, std::string_view expected,
                    const std::optional<StoredObject>& there) {
  const std::string store = quoted(client.place().name);
  if (said.empty())
    return user_error(cat("Cannot put ", quoted(key), ": store ", store,
                          " answers without the ETag of what it got, and does not have what was sent"),
                      "Is this the object store itself, and not a proxy's page?")
        .because(Blame::kRemote);
  std::string hint = "What lies there was left as it is: run it again";
  if (there && there->tag == said && there->content == content) {
    const Result<HttpResponse> removed =
        client.send({"DELETE", key, ""}, cat("remove ", quoted(key)), {}, {404});
    hint = removed ? "They were removed there: run it again"
                   : cat("They could not be removed there: ", removed.error().message);
  }
  return user_error(cat("Store ", store, " has other bytes under ", quoted(key),
                        " than were sent: expected ETag ", expected, ", got ", printable(said)),
                    std::move(hint))
      .because(Blame::kRemote);
}

UfileUpload::UfileUpload(FileSystem& files, UfileClient& client, const FileToPut& file,
                         const KnownFile& known)
    : files_(files), client_(client), file_(file), known_(known) {}

std::string UfileUpload::doing() const { return cat("put ", quoted(file_.key)); }

FileRange UfileUpload::range(std::size_t number) const {
  const std::uint64_t offset = number * part_bytes_;
  return {file_.path, offset, std::min(part_bytes_, known_.size - offset)};
}

Result<PutFile> UfileUpload::run(const std::stop_token& stop) {
  take_up();
  for (;;) {
    if (id_.empty()) TRY(begin(stop));
    Result<void> sent = send_parts(stop);
    Result<std::string> tag = sent ? complete(stop) : fail(std::move(sent).error());
    if (tag)
      return PutFile{.tag = *std::move(tag),
                     .sent = sent_,
                     .copied = sent_ == 0 && !is_resumed_,
                     .chunks = known_.chunks};
    if (!is_gone_) {
      if (!file_.note) abandon();  // nobody would take it up
      return fail(std::move(tag).error());
    }
    id_.clear();
    is_resumed_ = is_gone_ = false;
  }
}

// `upload CONTENT ID PART_BYTES`, and for each finished part `part NUMBER TAG`.
void UfileUpload::take_up() {
  for (const std::string& note : file_.notes) {
    const std::vector<std::string> words = split(note, kTab);
    if (words.size() == 4 && words[0] == "upload") {
      const auto bytes = whole_number<std::uint64_t>(words[3]);
      id_ = words[2];
      if (words[1] != file_.content.hex() || !bytes || *bytes == 0) {
        abandon();  // of what the file was
        continue;
      }
      part_bytes_ = *bytes;
      is_resumed_ = true;
      tags_.assign((known_.size + part_bytes_ - 1) / part_bytes_, "");
    }
    if (words.size() != 3 || words[0] != "part" || id_.empty()) continue;
    const auto number = whole_number<std::size_t>(words[1]);
    if (!number || *number >= tags_.size()) continue;
    if (!is_blocks() || sha1_of_ufile_part(words[2]) == known_.blocks[*number]) tags_[*number] = words[2];
  }
}

Result<void> UfileUpload::begin(const std::stop_token& stop) {
  const UfileRequest request{"POST", file_.key, "uploads", {{kUfileContentHeader, file_.content.hex()}}};
  TRY_ASSIGN(const HttpResponse response, client_.send(request, doing(), stop));
  const std::optional<UfileBegun> begun = parse_ufile_begun(response.body);
  if (!begun)
    return fail(user_error(cat("Cannot ", doing(), ": store ", quoted(client_.place().name),
                               " begins no upload in parts: ", printable(response.body)),
                           "Is this the object store itself, and not a proxy's page?")
                    .because(Blame::kRemote));
  id_ = begun->id;
  part_bytes_ = begun->part_bytes;
  tags_.assign((known_.size + part_bytes_ - 1) / part_bytes_, "");
  if (file_.note) file_.note(cat("upload", kTab, file_.content.hex(), kTab, id_, kTab, part_bytes_));
  return {};
}

Result<void> UfileUpload::send_parts(const std::stop_token& stop) {
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < tags_.size(); ++i) {
    if (tags_[i].empty()) missing.push_back(i);
  }
  return at_once(missing.size(), kPartsAtOnce, [&](std::size_t i) { return bring_part(missing[i], stop); });
}

Result<void> UfileUpload::bring_part(std::size_t number, const std::stop_token& stop) {
  if (is_like(number)) {
    TRY_ASSIGN(const bool copied, copy_part(number, stop));
    if (copied) return {};
  }
  return send_part(number, stop);
}

// Whether an earlier object has its bytes at the same place.
bool UfileUpload::is_like(std::size_t number) const {
  if (!file_.like || file_.like->tag.empty() || !is_blocks()) return false;
  const FileRange part = range(number);
  const std::size_t chunk = part.offset / kChunkBytes;
  return chunk < file_.like->chunks.size() && file_.like->chunks[chunk] == known_.chunks[chunk] &&
         part.offset + part.size <= file_.like->size;
}

// The service has no condition for it: what the copy is made of tells whether it is right.
Result<bool> UfileUpload::copy_part(std::size_t number, const std::stop_token& stop) {
  const FileRange part = range(number);
  const UfileRequest request{
      "PUT",
      file_.key,
      cat(upload_query(id_), "&partNumber=", number),
      {{"X-Ufile-Copy-Source", client_.place().copy_source(file_.like->key)},
       {"X-Ufile-Copy-Source-Range", cat("bytes=", part.offset, "-", part.offset + part.size - 1)}}};
  TRY_ASSIGN(const HttpResponse response, client_.send(request, doing(), stop, kNotCopied));
  const std::string tag = without_quotes(header_value(response, "etag"));
  if (response.status >= 300 || sha1_of_ufile_part(tag) != known_.blocks[number]) return false;
  finish_part(number, tag);
  return true;
}

Result<void> UfileUpload::send_part(std::size_t number, const std::stop_token& stop) {
  std::string bytes;
  const FileRange part = range(number);
  bytes.reserve(part.size);
  TRY(read_range(files_, part, stop, [&](std::string_view piece) { bytes += piece; }));
  const std::string digest = sha1(bytes);
  if (is_blocks() && digest != known_.blocks[number]) return fail(changed_while_sent(file_.path));
  UfileRequest request{"PUT", file_.key, cat(upload_query(id_), "&partNumber=", number), {}, bytes};
  request.md5 = hex_of(md5(bytes));
  TRY_ASSIGN(const HttpResponse response, client_.send(request, doing(), stop, kNoSuchUpload));
  if (response.status >= 300) {
    is_gone_ = is_resumed_;
    return fail(client_.refusal(response, doing()));
  }
  const std::string tag = without_quotes(header_value(response, "etag"));
  if (sha1_of_ufile_part(tag) != digest)
    return fail(user_error(cat("Store ", quoted(client_.place().name), " got other bytes of ",
                               quoted(file_.key), " than were sent: part ", number, " is called ",
                               tag.empty() ? "nothing" : printable(tag)),
                           "It was not put into the store: run it again")
                    .because(Blame::kRemote));
  finish_part(number, tag);
  sent_ += part.size;
  return {};
}

void UfileUpload::finish_part(std::size_t number, std::string tag) {
  const std::lock_guard lock(mutex_);
  if (file_.note) file_.note(cat("part", kTab, number, kTab, tag));
  tags_[number] = std::move(tag);
  if (file_.came) file_.came(range(number).size);
}

// Whatever the answer is: it may have been done when it was asked first, and that answer was lost.
Result<std::string> UfileUpload::complete(const std::stop_token& stop) {
  const std::string body = join(tags_, ",");
  UfileRequest request{"POST", file_.key, upload_query(id_), {}, body};
  request.may_write = &file_.may_write;
  TRY_ASSIGN(const HttpResponse done, client_.send(request, doing(), stop, kNoSuchUpload));
  const std::string tag = without_quotes(header_value(done, "etag"));
  const std::string lies = parse_ufile_finished(done.body);
  const bool is_done = done.status < 300;
  if (is_done && tag == known_.etag && (lies.empty() || lies == client_.place().object(file_.key)))
    return tag;
  TRY_ASSIGN(const HttpResponse head, client_.send({"HEAD", file_.key, ""}, doing(), stop, {404}));
  const auto there = head.status < 300 ? std::optional(ufile_object(file_.key, head)) : std::nullopt;
  if (there && there->tag == known_.etag) return known_.etag;
  if (is_done) return fail(refuse_object(client_, file_.key, file_.content, tag, known_.etag, there));
  is_gone_ = is_resumed_;
  return fail(client_.refusal(done, doing()));
}

// Worth a try: nobody sees what is left.
void UfileUpload::give_up(UfileClient& client, const std::string& key,
                          const std::vector<std::string>& notes) {
  std::string id;
  for (const std::string& note : notes) {
    const std::vector<std::string> words = split(note, kTab);
    if (words.size() == 4 && words[0] == "upload") id = words[2];
  }
  if (!id.empty())
    (void)client.send({"DELETE", key, upload_query(id)}, cat("put ", quoted(key)), {}, {400, 404});
}

void UfileUpload::abandon() {
  (void)client_.send({"DELETE", file_.key, upload_query(id_)}, doing(), {}, {400, 404});
  id_.clear();
}

}  // namespace trainmake
