import { useId } from "react";
import { z } from "zod";
import type { Json, JsonObject } from "../../contract/json.js";

/** What an approval's schema may ask for. Anything else is typed as JSON; whether it fits the API says. */
const Schema = z.object({
  properties: z
    .record(
      z.string(),
      z.object({
        type: z.string().optional(),
        enum: z.array(z.string()).optional(),
        title: z.string().optional(),
        description: z.string().optional(),
        default: z.json().optional(),
      }),
    )
    .default({}),
  required: z.array(z.string()).default([]),
});
type Property = z.infer<typeof Schema>["properties"][string];

export function Fields({
  schema,
  values,
  onChange,
}: {
  schema: Json;
  values: JsonObject;
  onChange: (values: JsonObject) => void;
}) {
  const read = Schema.safeParse(schema);
  if (!read.success) return null;
  const { properties, required } = read.data;
  return Object.entries(properties).map(([name, property]) => (
    <Field
      key={name}
      name={name}
      property={property}
      isRequired={required.includes(name)}
      value={values[name] ?? property.default}
      onChange={(value) => onChange({ ...values, [name]: value })}
    />
  ));
}

function Field({
  name,
  property,
  isRequired,
  value,
  onChange,
}: {
  name: string;
  property: Property;
  isRequired: boolean;
  value: Json | undefined;
  onChange: (value: Json) => void;
}) {
  const id = useId();
  const look = "min-h-9 rounded-md border border-line bg-panel px-2";
  const { type, enum: options, title = name, description } = property;
  const input = () => {
    if (options)
      return (
        <select
          id={id}
          value={String(value ?? "")}
          required={isRequired}
          className={look}
          onChange={(e) => onChange(e.target.value)}
        >
          <option value="" disabled>
            choose
          </option>
          {options.map((option) => (
            <option key={option}>{option}</option>
          ))}
        </select>
      );
    if (type === "boolean")
      return <input id={id} type="checkbox" checked={value === true} onChange={(e) => onChange(e.target.checked)} />;
    const isNumber = type === "number" || type === "integer";
    const change = (text: string) => onChange(isNumber && text !== "" ? Number(text) : text);
    return (
      <input
        id={id}
        type={isNumber ? "number" : "text"}
        value={String(value ?? "")}
        required={isRequired}
        className={`${look} w-full`}
        onChange={(e) => change(e.target.value)}
      />
    );
  };
  return (
    <div className="mb-2">
      <label htmlFor={id} className="block text-sm">
        {title}
        {description && <span className="text-faint"> {description}</span>}
      </label>
      {input()}
    </div>
  );
}
