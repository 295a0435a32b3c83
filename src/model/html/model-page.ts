import type { ModelAnswer } from '../file/answer.ts';
import type { Curves } from '../file/curves.ts';
import type { Model } from '../file/schema.ts';
import { reportOf } from '../report/report-of.ts';
import type { Block, ReportSection } from '../report/report.ts';
import type { Content } from './markup.ts';
import { markup } from './markup.ts';
import { page, pairs, table } from './page.ts';
import {
  describedChainPicture,
  importancePicture,
  lossPicture,
  simulatedPicture,
  stepsPicture,
  structurePicture,
  systemPicture,
  timePictures,
} from './pictures.ts';

/** Rows of a table on a page; all of them stand in --json. */
const rowsMax = 200;

/** A model, drawn and told: one HTML document. */
export function modelPage(model: Model, answer: ModelAnswer, curves: Curves): string {
  const { name, sections } = reportOf(answer);
  return page({
    title: name ?? 'Model',
    lead: 'What this design is worth by the mathematics of availability, durability and recovery time, and what that takes for granted.',
    sections: sections.map((section, index) => {
      const pictures = picturesOf(section, index, model, answer, curves);
      // The figures that matter most, then what can be seen, then the lists.
      const split = section.blocks.findIndex(({ kind }) => kind === 'table' || kind === 'assumptions');
      return {
        title: section.title,
        body: [section.blocks.slice(0, split).map(blockMarkup), pictures, section.blocks.slice(split).map(blockMarkup)],
      };
    }),
  });
}

function picturesOf({ of }: ReportSection, index: number, model: Model, answer: ModelAnswer, curves: Curves): Content {
  const id = `${of.part}-${index}`;
  switch (of.part) {
    case 'structure': {
      const structure = answer.structure!;
      return [
        structurePicture(model),
        structure.method === 'markov' && systemPicture(model),
        timePictures(id, curves.structure ?? [], structure.longRun?.unavailability),
        structure.simulation && simulatedPicture(structure.simulation),
        importancePicture(structure),
      ];
    }
    case 'chains':
      return [
        describedChainPicture(id, model.chains![of.name]!),
        timePictures(id, curves.chains[of.name] ?? [], answer.chains![of.name]!.longRun?.unavailability),
      ];
    case 'storage':
      return lossPicture(id, curves.storage[of.name] ?? []);
    case 'recovery':
      return stepsPicture(id, answer.recovery![of.name]!);
  }
}

function blockMarkup(block: Block): Content {
  switch (block.kind) {
    case 'text':
      return markup`<p>${block.text}</p>\n`;
    case 'facts':
      return pairs(block.facts);
    case 'table': {
      const { caption, columns, rows } = block.table;
      const more = rows.length - rowsMax;
      return [table(caption, columns, rows.slice(0, rowsMax)), more > 0 && markup`<p>… and ${more} more: --json has them.</p>\n`];
    }
    case 'assumptions':
      return markup`<h3>Taken for granted</h3><ul>${block.assumptions.map((each) => markup`<li>${each}</li>`)}</ul>\n`;
  }
}
