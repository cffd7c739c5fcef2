/* How a family of instructions turns PTX into struct emu_instruction. A family is a table of opcodes with a
 * decode function each; several families may list the same opcode (`add` is in integer, float, double and
 * half): they are asked in turn.
 *
 * A decode function
 *   1. looks at the modifiers with emu_take*, which mark what they find as understood,
 *   2. returns EMU_NOT_MINE, having changed nothing but that (marks are undone), if the opcode is another
 * family's,
 *   3. binds operands with emu_bind*,
 *   4. sets out->run, out->class, and flags, space, option[], extra as it needs, and returns EMU_DECODED.
 * A modifier that nobody took makes the instruction unsupported: it is then replaced by one that stops the
 * launch with an error naming it. So does EMU_UNSUPPORTED. emu_bind* returns false after it has noted an
 * error; return EMU_UNSUPPORTED then. */
#ifndef EMU_DECODER_H
#define EMU_DECODER_H

#include "program.h"

enum emu_decode_result { EMU_DECODED, EMU_NOT_MINE, EMU_UNSUPPORTED };

enum emu_type {
  EMU_TYPE_NONE = 0,
  EMU_U8,
  EMU_U16,
  EMU_U32,
  EMU_U64,
  EMU_S8,
  EMU_S16,
  EMU_S32,
  EMU_S64,
  EMU_B8,
  EMU_B16,
  EMU_B32,
  EMU_B64,
  EMU_B128,
  EMU_F16,
  EMU_F16X2,
  EMU_BF16,
  EMU_BF16X2,
  EMU_TF32,
  EMU_F32,
  EMU_F32X2,
  EMU_F64,
  EMU_U16X2,
  EMU_S16X2,
  EMU_E4M3,
  EMU_E5M2,
  EMU_E4M3X2,
  EMU_E5M2X2,
  EMU_PRED
};

struct emu_decoder;

/* The opcode without modifiers ("add"). */
const char *emu_opcode(const struct emu_decoder *decoder);
/* Takes the modifier `name` (without the dot, "rn", "shared::cluster") wherever it stands among those not
 * taken yet. */
bool emu_take(struct emu_decoder *decoder, const char *name);
/* Takes the first modifier, in the order written, that is one of the NULL-terminated `names`; its index in
 * them, -1 if none is. */
int emu_take_one(struct emu_decoder *decoder, const char *const *names);
/* Takes the first modifier not taken yet that is a type. */
enum emu_type emu_take_type(struct emu_decoder *decoder);
/* Looks at the first untaken type, or the last one, without taking it. */
enum emu_type emu_peek_type(const struct emu_decoder *decoder);
enum emu_type emu_last_type(const struct emu_decoder *decoder);
/* Whether the modifier is there, taken or not. */
bool emu_has(const struct emu_decoder *decoder, const char *name);
unsigned emu_type_bytes(enum emu_type type); /* of one value; 0 for pred and none */
bool emu_type_signed(enum emu_type type);

unsigned emu_operand_count(const struct emu_decoder *decoder);
/* What the PTX wrote there: to choose between forms of an instruction. */
enum emu_operand_kind emu_operand_kind(const struct emu_decoder *decoder, unsigned index);
/* Name of an operand that is no number, as written; "" otherwise. */
const char *emu_operand_name(const struct emu_decoder *decoder, unsigned index);
unsigned emu_vector_length(const struct emu_decoder *decoder, unsigned index); /* 0 if it is no vector */

/* Binds operand `index` of the PTX to out->operand[slot].
 * value: register, immediate or symbol whose width is `bytes`; a wider or narrower register is an error.
 * bytes == 0 takes a register as it is (immediates are then 32-bit). floating immediates (0f, 0d, decimal)
 * are converted to `bytes` wide IEEE values. predicate: a predicate register, perhaps negated (!p).
 * address:
 * [register + displacement], [symbol + displacement], [immediate]. vector: {..} of values of `bytes` each
 * (0:
 * as they are); a single register counts as a vector of one. Constant p|q pairs likewise, whose elements
 * may be predicates (bytes 0) or values. The sink `_` gets a scratch register, or offset of a scratch
 * predicate.
 */
bool emu_bind_value(struct emu_decoder *decoder, struct emu_instruction *out, unsigned slot, unsigned index,
                    unsigned bytes);
bool emu_bind_predicate(struct emu_decoder *decoder, struct emu_instruction *out, unsigned slot,
                        unsigned index);
bool emu_bind_address(struct emu_decoder *decoder, struct emu_instruction *out, unsigned slot,
                      unsigned index);
bool emu_bind_vector(struct emu_decoder *decoder, struct emu_instruction *out, unsigned slot, unsigned index,
                     unsigned bytes);
/* Binds operands 0..count-1 to slots 0..count-1 as values of `bytes`. */
bool emu_bind_values(struct emu_decoder *decoder, struct emu_instruction *out, unsigned count,
                     unsigned bytes);
/* Binds a constant of the decoder's own, broadcast to all lanes. */
bool emu_bind_constant(struct emu_decoder *decoder, struct emu_instruction *out, unsigned slot,
                       uint64_t value, unsigned bytes);
/* A scratch register of this instruction's frame: 32 values of `bytes`. */
bool emu_bind_scratch(struct emu_decoder *decoder, struct emu_instruction *out, unsigned slot,
                      unsigned bytes);

/* The function's condition code (add.cc, addc): a predicate operand. */
bool emu_bind_carry(struct emu_decoder *decoder, struct emu_instruction *out, unsigned slot);

/* Memory accesses: takes a state space modifier (generic if none), into out->space. */
void emu_take_space(struct emu_decoder *decoder, struct emu_instruction *out);
/* Notes why this instruction cannot be decoded; the text is copied. Returns EMU_UNSUPPORTED. */
enum emu_decode_result emu_refuse(struct emu_decoder *decoder, const char *why);
struct emu_arena *emu_decoder_arena(struct emu_decoder *decoder);
int emu_decoder_capability(const struct emu_decoder *decoder); /* of the emulated device: 90 */

typedef enum emu_decode_result emu_decode_function(struct emu_decoder *decoder, struct emu_instruction *out);

struct emu_opcode_entry {
  const char *name;
  emu_decode_function *decode;
};

struct emu_family {
  const char *name;
  const struct emu_opcode_entry *opcodes; /* ends with a NULL name */
};

#endif
