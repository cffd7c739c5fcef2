// oneDNN as a peer: its LSTM primitive for encoder and decoder, its matmul, binary and eltwise primitives for
// the attention; in plain C++: the softmaxes and the weighted sum of the annotations. Weights are reordered
// once into the layouts that the primitives ask for; a K_a is computed once per call. Time first, as the
// primitive wants it: results stay [T,B,A].
#include "worker.h"

#include <oneapi/dnnl/dnnl.hpp>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

using dnnl::memory;
using tag = memory::format_tag;
using dims = memory::dims;

namespace {

const auto f32 = memory::data_type::f32;
const auto inference = dnnl::prop_kind::forward_inference;

struct Step {
  dnnl::primitive primitive;
  std::unordered_map<int, memory> arguments;
};

class Model {
public:
  Model(const instance &workload)
      : instance_(workload), w_(*workload.workload), engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    B_ = w_.B, T_ = w_.T, H_ = w_.H, A_ = 2 * H_, S_ = w_.S > 0 ? w_.S : A_, u_ = w_.keys;
    make_input();
    make_encoder();
    if (!w_.encode_only)
      make_attention();
    if (w_.Y > 0)
      make_decoder();
  }

  bool call() {
    run(encoder_);
    if (w_.encode_only) {
      stream_.wait();
      return true;
    }
    run(keys_);
    if (w_.Y == 0) {
      stream_.wait();
      final_state();
      attend(query_[0], context_);
      return true;
    }
    std::memset(data(hidden_[0]), 0, sizeof(float) * B_ * S_);
    std::memset(data(cell_[0]), 0, sizeof(float) * B_ * S_);
    for (int y = 0; y < w_.Y; y++) {
      attend(query_[y % 2], context_);
      run(decoder_[y % 2]);
      run(output_[y % 2]);
      stream_.wait();
      outputs(y);
    }
    return true;
  }

  // What is verified, batch first. Not timed.
  void results() {
    const float *annotations = data(annotations_);
    for (long b = 0; b < B_; b++)
      for (long t = 0; t < T_; t++)
        std::memcpy(instance_.annotations + (b * T_ + t) * A_, annotations + (t * B_ + b) * A_,
                    sizeof(float) * A_);
    if (w_.Y == 0 && !w_.encode_only)
      std::memcpy(instance_.contexts, data(context_), sizeof(float) * B_ * A_);
  }

private:
  static float *data(const memory &m) {
    return static_cast<float *>(m.get_data_handle());
  }

  memory make(const dims &shape, tag layout) {
    return memory({shape, f32, layout}, engine_);
  }

  memory filled(const dims &shape, tag layout, const float *values) {
    memory m = make(shape, layout);
    std::memcpy(data(m), values, m.get_desc().get_size());
    return m;
  }

  // The same values in the layout that a primitive asks for.
  memory reordered(memory from, const memory::desc &wanted) {
    if (from.get_desc() == wanted)
      return from;
    memory to(wanted, engine_);
    dnnl::reorder(from, to).execute(stream_, from, to);
    stream_.wait();
    return to;
  }

  const float *weights(const std::string &name) {
    cuseq_tensor tensor;
    for (size_t i = 0; i < cuseq_model_tensor_count(instance_.model); i++)
      if (cuseq_model_tensor(instance_.model, i, &tensor) == CUSEQ_STATUS_OK && name == tensor.name)
        return static_cast<const float *>(tensor.data);
    throw std::runtime_error(name + ": no such tensor");
  }

  void run(Step &step) {
    step.primitive.execute(stream_, step.arguments);
  }

  // x [T,B,F], one-hot rows where the workload has ids: that is what its users must give.
  void make_input() {
    x_ = make({T_, B_, w_.F}, tag::tnc);
    float *x = data(x_);
    std::memset(x, 0, sizeof(float) * T_ * B_ * w_.F);
    for (long b = 0; b < B_; b++)
      for (long t = 0; t < T_; t++) {
        float *row = x + (t * B_ + b) * w_.F;
        if (w_.ids)
          row[instance_.ids[b * T_ + t]] = 1.0f;
        else
          std::memcpy(row, instance_.x + (b * T_ + t) * w_.F, sizeof(float) * w_.F);
      }
  }

  struct Weights {
    memory kernel, recurrent, bias;
  };

  // The directions' weights one after the other, gates in the order i, f, c, o as the primitive has them.
  Weights lstm_weights(const std::vector<std::string> &prefixes, long inputs, long units) {
    const long D = prefixes.size();
    std::vector<float> kernel, recurrent, bias;
    for (const auto &prefix : prefixes) {
      const float *k = weights(prefix + "kernel"), *r = weights(prefix + "recurrent_kernel"),
                  *b = weights(prefix + "bias");
      kernel.insert(kernel.end(), k, k + inputs * 4 * units);
      recurrent.insert(recurrent.end(), r, r + units * 4 * units);
      bias.insert(bias.end(), b, b + 4 * units);
    }
    return {filled({1, D, inputs, 4, units}, tag::ldigo, kernel.data()),
            filled({1, D, units, 4, units}, tag::ldigo, recurrent.data()),
            filled({1, D, 4, units}, tag::ldgo, bias.data())};
  }

  static memory::desc any(const dims &shape) {
    return memory::desc(shape, f32, tag::any);
  }

  void make_encoder() {
    Weights weights = lstm_weights({"encoder.layers.0.forward.", "encoder.layers.0.backward."}, w_.F, H_);
    annotations_ = make({T_, B_, A_}, tag::tnc);
    final_ = make({1, 2, B_, H_}, tag::ldnc);
    memory final_cell = make({1, 2, B_, H_}, tag::ldnc);
    const bool states = w_.Y == 0 && !w_.encode_only;
    dnnl::lstm_forward::primitive_desc description(
        engine_, inference, dnnl::rnn_direction::bidirectional_concat, x_.get_desc(), memory::desc(),
        memory::desc(), any({1, 2, w_.F, 4, H_}), any({1, 2, H_, 4, H_}), weights.bias.get_desc(),
        annotations_.get_desc(), states ? final_.get_desc() : memory::desc(),
        states ? final_cell.get_desc() : memory::desc());
    encoder_ = {dnnl::lstm_forward(description),
                {{DNNL_ARG_SRC_LAYER, x_},
                 {DNNL_ARG_WEIGHTS_LAYER, reordered(weights.kernel, description.weights_layer_desc())},
                 {DNNL_ARG_WEIGHTS_ITER, reordered(weights.recurrent, description.weights_iter_desc())},
                 {DNNL_ARG_BIAS, weights.bias},
                 {DNNL_ARG_DST_LAYER, annotations_}}};
    if (states) {
      encoder_.arguments.insert({DNNL_ARG_DST_ITER, final_});
      encoder_.arguments.insert({DNNL_ARG_DST_ITER_C, final_cell});
    }
  }

  Step matmul(memory source, memory kernel, memory bias, memory target,
              const dnnl::primitive_attr &attributes = {}) {
    dnnl::matmul::primitive_desc description(engine_, source.get_desc(), any(kernel.get_desc().get_dims()),
                                             bias ? bias.get_desc() : memory::desc(), target.get_desc(),
                                             attributes);
    Step step{dnnl::matmul(description),
              {{DNNL_ARG_SRC, source},
               {DNNL_ARG_WEIGHTS, reordered(kernel, description.weights_desc())},
               {DNNL_ARG_DST, target}}};
    if (bias)
      step.arguments.insert({DNNL_ARG_BIAS, bias});
    return step;
  }

  // The same buffer under another shape.
  memory as(const memory &m, const dims &shape, tag layout) {
    return memory({shape, f32, layout}, engine_, m.get_data_handle());
  }

  void make_attention() {
    const float *kernel = weights("attention.layers.0.kernel");
    memory keys = make({T_ * B_, u_}, tag::ab), query = make({B_, u_}, tag::ab),
           energies = make({T_ * B_, u_}, tag::ab);
    energies_ = u_ > 1 ? make({T_ * B_, 1}, tag::ab) : energies;
    context_ = make({B_, A_}, tag::ab);
    keys_ = matmul(as(annotations_, {T_ * B_, A_}, tag::ab), filled({A_, u_}, tag::ab, kernel),
                   filled({1, u_}, tag::ab, weights("attention.layers.0.bias")), keys);
    for (int i = 0; i < 2; i++) {
      hidden_[i] = make({1, 1, B_, S_}, tag::ldnc);
      cell_[i] = make({1, 1, B_, S_}, tag::ldnc);
      query_[i] = matmul(as(hidden_[i], {B_, S_}, tag::ab), filled({S_, u_}, tag::ab, kernel + A_ * u_),
                         memory(), query);
    }
    dnnl::post_ops tanh;
    tanh.append_eltwise(dnnl::algorithm::eltwise_tanh, 0, 0);
    dnnl::primitive_attr attributes;
    attributes.set_post_ops(tanh);
    memory keys3 = as(keys, {T_, B_, u_}, tag::abc), query3 = as(query, {1, B_, u_}, tag::abc),
           energies3 = as(energies, {T_, B_, u_}, tag::abc);
    dnnl::binary::primitive_desc description(engine_, dnnl::algorithm::binary_add, keys3.get_desc(),
                                             query3.get_desc(), energies3.get_desc(), attributes);
    sum_ = {dnnl::binary(description),
            {{DNNL_ARG_SRC_0, keys3}, {DNNL_ARG_SRC_1, query3}, {DNNL_ARG_DST, energies3}}};
    if (u_ > 1) {
      dnnl::post_ops relu;
      relu.append_eltwise(dnnl::algorithm::eltwise_relu, 0, 0);
      dnnl::primitive_attr with_relu;
      with_relu.set_post_ops(relu);
      second_ = matmul(energies, filled({u_, 1}, tag::ab, weights("attention.layers.1.kernel")),
                       filled({1, 1}, tag::ab, weights("attention.layers.1.bias")), energies_, with_relu);
    }
  }

  void make_decoder() {
    Weights weights_of = lstm_weights({"decoder."}, A_, S_);
    memory logits = logits_ = make({B_, w_.V}, tag::ab);
    for (int i = 0; i < 2; i++) {
      memory layer = as(context_, {1, B_, A_}, tag::tnc), target = make({1, B_, S_}, tag::tnc);
      dnnl::lstm_forward::primitive_desc description(
          engine_, inference, dnnl::rnn_direction::unidirectional_left2right, layer.get_desc(),
          hidden_[i].get_desc(), cell_[i].get_desc(), any({1, 1, A_, 4, S_}), any({1, 1, S_, 4, S_}),
          weights_of.bias.get_desc(), target.get_desc(), hidden_[1 - i].get_desc(), cell_[1 - i].get_desc());
      decoder_[i] = {
          dnnl::lstm_forward(description),
          {{DNNL_ARG_SRC_LAYER, layer},
           {DNNL_ARG_SRC_ITER, hidden_[i]},
           {DNNL_ARG_SRC_ITER_C, cell_[i]},
           {DNNL_ARG_WEIGHTS_LAYER, reordered(weights_of.kernel, description.weights_layer_desc())},
           {DNNL_ARG_WEIGHTS_ITER, reordered(weights_of.recurrent, description.weights_iter_desc())},
           {DNNL_ARG_BIAS, weights_of.bias},
           {DNNL_ARG_DST_LAYER, target},
           {DNNL_ARG_DST_ITER, hidden_[1 - i]},
           {DNNL_ARG_DST_ITER_C, cell_[1 - i]}}};
      output_[i] =
          matmul(as(hidden_[1 - i], {B_, S_}, tag::ab), filled({S_, w_.V}, tag::ab, weights("output.kernel")),
                 filled({1, w_.V}, tag::ab, weights("output.bias")), logits);
    }
  }

  // The attention's state of a model without decoder: concat(h_fw, h_bw) [B,S].
  void final_state() {
    const float *final = data(final_);
    float *state = data(hidden_[0]);
    for (long b = 0; b < B_; b++)
      for (long d = 0; d < 2; d++)
        std::memcpy(state + b * S_ + d * H_, final + (d * B_ + b) * H_, sizeof(float) * H_);
  }

  // energies [T,B] -> alphas in place, context [B,A]
  void attend(Step &query, const memory &target) {
    run(query);
    run(sum_);
    if (u_ > 1)
      run(second_);
    stream_.wait();
    float *e = data(energies_), *context = data(target);
    const float *annotations = data(annotations_);
    std::vector<float> &sum = sum_of_row_, &most = most_of_row_;
    sum.assign(B_, 0.0f);
    most.assign(e, e + B_);
    for (long t = 1; t < T_; t++)
      for (long b = 0; b < B_; b++)
        most[b] = e[t * B_ + b] > most[b] ? e[t * B_ + b] : most[b];
    for (long t = 0; t < T_; t++)
      for (long b = 0; b < B_; b++)
        sum[b] += e[t * B_ + b] = expf(e[t * B_ + b] - most[b]);
    std::memset(context, 0, sizeof(float) * B_ * A_);
    for (long b = 0; b < B_; b++) {
      const float share = 1.0f / sum[b];
      for (long t = 0; t < T_; t++) {
        const float alpha = e[t * B_ + b] * share;
        const float *annotation = annotations + (t * B_ + b) * A_;
        for (long a = 0; a < A_; a++)
          context[b * A_ + a] += alpha * annotation[a];
      }
    }
  }

  void outputs(int y) {
    const float *logits = data(logits_);
    const long V = w_.V;
    for (long b = 0; b < B_; b++) {
      const float *row = logits + b * V;
      float *out = instance_.outputs + (b * w_.Y + y) * V, most = row[0], sum = 0.0f;
      for (long v = 1; v < V; v++)
        most = row[v] > most ? row[v] : most;
      for (long v = 0; v < V; v++)
        sum += out[v] = expf(row[v] - most);
      for (long v = 0; v < V; v++)
        out[v] /= sum;
    }
  }

  instance instance_;
  workload w_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  long B_, T_, H_, A_, S_, u_;
  memory x_, annotations_, final_, energies_, context_, hidden_[2], cell_[2], logits_;
  Step encoder_, keys_, query_[2], sum_, second_, decoder_[2], output_[2];
  std::vector<float> sum_of_row_, most_of_row_;
};

void *open_model(const struct instance *workload, int) {
  try {
    auto *model = new Model(*workload);
    model->call();
    model->results();
    return model;
  } catch (const std::exception &problem) {
    fprintf(stderr, "oneDNN: %s\n", problem.what());
    return nullptr;
  }
}

bool call(void *model) {
  try {
    return static_cast<Model *>(model)->call();
  } catch (const std::exception &problem) {
    fprintf(stderr, "oneDNN: %s\n", problem.what());
    return false;
  }
}

} // namespace

int main(int argc, char **argv) {
  const dnnl_version_t *version = dnnl_version();
  const std::string name = "oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) +
                           "." + std::to_string(version->patch);
  const struct worker worker = {name.c_str(), open_model, call};
  return worker_main(argc, argv, &worker);
}
